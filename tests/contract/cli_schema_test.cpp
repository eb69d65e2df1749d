// `stele schema` against a real server, which is killed meanwhile.

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

struct SchemaServer {
  test::TempFolder folder;
  Api api;
  HttpClient client = api.client();

  ProcessResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "schema");
    return run_stele(arguments, {}, {{"STELE_URL", api.server().url()}});
  }
  std::string schema_file(const std::string& content) {
    write_file(folder.file("schema.json"), content);
    return folder.file("schema.json");
  }
  int status_of(const std::string& data) { return client.post("/v1/events", event_json("a", "Burned", data)).status; }
};

}  // namespace

TEST_CASE_FIXTURE(SchemaServer, "SchemaCommand.RegistersShowsActivatesAndWithdraws") {
  const auto registered = run({"register", "Burned", schema_file(R"({"required":["n"],"x-note":1})")});
  CHECK(registered.exit_code == 0);
  CHECK(registered.out == "Burned version 1\n");
  CHECK(contains(registered.err, "ignored: \"x-note\""));
  CHECK(contains(run({"register", "Burned", folder.file("schema.json")}).err, "nothing new"));
  const auto second = run({"register", "Burned", schema_file("true"), "--compatibility", "NONE", "--inactive"});
  CHECK(second.out == "Burned version 2\n");
  CHECK(contains(run({"list"}).out, "Burned  1       2         BACKWARD_TRANSITIVE"));
  CHECK(contains(run({"show", "Burned"}).out, "inactive"));
  CHECK(run({"show", "Burned", "--version", "1"}).out == "{\"required\":[\"n\"],\"x-note\":1}\n");
  CHECK(status_of("{}") == 422);
  CHECK(run({"activate", "Burned", "2"}).out == "Burned version 2 is active\n");
  CHECK(run({"withdraw", "Burned", "1"}).out == "Burned version 1 is withdrawn\n");
  CHECK(contains(run({"withdraw", "Burned", "1"}).err, "schema-not-found"));
  CHECK(status_of("{}") == 201);
  const auto refused = run({"register", "Burned", schema_file("7"), "--compatibility", "NONE"});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "invalid-schema"));
  append(client, event_json("a", "Cooled", "{}"));
  const auto history = run({"register", "Cooled", schema_file(R"({"required":["n"]})")});
  CHECK(history.exit_code == 1);
  CHECK(contains(history.err, "position "));
}

TEST_CASE_FIXTURE(SchemaServer, "SchemaCommand.ChecksWhatIsStoredWithAServerAndWithout") {
  append(client, event_json("a", "Burned", R"({"n":1})"));
  append(client, event_json("a", "Burned", R"({"n":"x"})"));
  const std::string file = schema_file(R"({"properties":{"n":{"type":"integer"}}})");
  const auto checked = run({"check", "Burned", file});
  CHECK(checked.exit_code == 1);
  CHECK(contains(checked.out, "POSITION"));
  CHECK(contains(checked.out, "/n"));
  CHECK(contains(checked.err, "2 events checked, 1 do not"));
  const auto json = run({"check", "Burned", file, "--json"});
  CHECK(json.exit_code == 1);
  CHECK(json.out.starts_with(R"({"checked":2,"failed":1,"failures":[{"position":)"));
  // Beside the server.
  const auto offline = run({"check", "Burned", file, "--json", "--data", api.data()});
  CHECK(offline.exit_code == 1);
  CHECK(offline.out == json.out);
  CHECK(run({"check", "Burned", schema_file("true")}).exit_code == 0);
  CHECK(run({"check", "Burned", schema_file("true"), "--data", api.data()}).exit_code == 0);
  const auto bad = run({"check", "Burned", schema_file("7")});
  CHECK(bad.exit_code == 1);
  CHECK(contains(bad.err, "invalid-schema"));
  CHECK(contains(run({"check", "Burned", schema_file("7"), "--data", api.data()}).err, "invalid-schema"));
  CHECK(contains(run({"list"}).out, "Burned") == false);
}

TEST_CASE_FIXTURE(SchemaServer, "SchemaCommand.ChecksAndRegistersWithAnUpcaster") {
  REQUIRE(run({"register", "Burned", schema_file(R"({"required":["n"]})")}).exit_code == 0);
  append(client, event_json("a", "Burned", R"({"n":1})"));
  const std::string file = schema_file(R"({"required":["m"]})");
  const std::string upcaster = folder.file("upcaster.json");
  write_file(upcaster, R"({"from":1,"operations":[{"op":"rename","path":"/n","to":"m"}]})");
  CHECK(run({"check", "Burned", file}).exit_code == 1);
  CHECK(run({"check", "Burned", file, "--upcaster", upcaster}).exit_code == 0);
  CHECK(run({"check", "Burned", file, "--upcaster", upcaster, "--data", api.data()}).exit_code == 0);
  CHECK(run({"check", "Burned", file, "--data", api.data()}).exit_code == 1);
  CHECK(run({"register", "Burned", file, "--upcaster", upcaster}).out == "Burned version 2\n");
  CHECK(contains(run({"check", "Burned", file, "--upcaster", upcaster}).err, "broken-upcaster-chain"));
}

TEST_CASE_FIXTURE(SchemaServer, "SchemaCommand.SaysWhatBreaksBetweenTwoSchemas") {
  REQUIRE(run({"register", "Burned", schema_file(R"({"properties":{"n":{"type":"integer"}}})")}).exit_code == 0);
  REQUIRE(run({"register", "Burned", schema_file(R"({"properties":{"n":{"type":"number"}}})")}).exit_code == 0);
  const auto wider = run({"diff", "Burned", "1", "2"});
  CHECK(wider.exit_code == 0);
  CHECK(contains(wider.out, "forward"));
  CHECK(contains(wider.out, "/properties/n/type"));
  CHECK(contains(wider.out, "type-narrowed"));
  CHECK(contains(wider.err, "backward: nothing breaks"));
  const auto file = run({"diff", "Burned", "2", schema_file(R"({"properties":{"n":{"type":"string"}}})"), "--json"});
  CHECK(file.exit_code == 0);
  CHECK(contains(file.out, R"({"direction":"backward","pointer":"/properties/n/type","rule":"type-)"));
  CHECK(run({"diff", "Burned", "2", "2"}).out.empty());
  CHECK(contains(run({"diff", "Burned", "1", "3"}).err, "schema-not-found"));
  CHECK(run({"diff", "Burned", "1", schema_file("7")}).exit_code == 1);
}

TEST_CASE_FIXTURE(SchemaServer, "SchemaCommand.AByteOrderMarkIsNoPartOfAFile") {
  const std::string mark = "\xEF\xBB\xBF";
  append(client, event_json("a", "Burned", R"({"n":1})"));
  const std::string file = schema_file(mark + R"({"required":["n"]})");
  CHECK(run({"check", "Burned", file}).exit_code == 0);
  CHECK(run({"register", "Burned", file}).exit_code == 0);
  write_file(folder.file("plain.json"), R"({"required":["n"]})");
  CHECK(run({"diff", "Burned", file, folder.file("plain.json")}).exit_code == 0);
  write_file(folder.file("upcaster.json"), mark + R"({"from":1,"operations":[{"op":"rename","path":"/n","to":"m"}]})");
  CHECK(run({"register", "Burned", schema_file(mark + R"({"required":["m"]})"), "--upcaster",
             folder.file("upcaster.json")})
            .exit_code == 0);
  CHECK(client.post("/v1/schemas/Cooled", mark + R"({"schema":true})").status == 201);
}

TEST_CASE_FIXTURE(SchemaServer, "SchemaCommand.WhatWasRegisteredHoldsBehindAKill") {
  REQUIRE(run({"register", "Burned", schema_file(R"({"required":["n"]})")}).exit_code == 0);
  api.kill_and_restart();
  client = api.client();
  CHECK(status_of("{}") == 422);
  CHECK(status_of(R"({"n":1})") == 201);
  REQUIRE(run({"register", "Burned", schema_file("true"), "--compatibility", "NONE"}).exit_code == 0);
  api.kill_and_restart();
  client = api.client();
  CHECK(append(client, event_json("a", "Burned", "{}")).number("/version") == 2);
  CHECK(contains(run({"withdraw", "Burned", "2"}).err, "schema-in-use"));
}

}  // namespace stele::tests
