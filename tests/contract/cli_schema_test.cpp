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
