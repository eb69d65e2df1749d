// `stele replay`, `stele snapshot` and `stele handler` against a real server.

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// A server with one aggregate, mission/1 of the type Mission, of three events.
struct Mission {
  test::TempFolder folder;
  Api api;
  HttpClient client = api.client();

  Mission() {
    for (const char* const data : {R"({"name":"Apollo","crew":["ada"],"n":1.0})", R"({"crew":["ada","grace"]})",
                                   R"({"name":null,"note":"\u001b[31m"})"}) {
      append(client, event_json("mission/1", "Changed", data,
                                R"(,"aggregateType":"Mission","occurredAt":"2020-01-01T00:00:00Z")"));
    }
  }

  ProcessResult run(std::vector<std::string> arguments, Environment environment = {}) {
    environment.emplace_back("STELE_URL", api.server().url());
    return run_stele(arguments, {}, environment);
  }
  std::string file(const std::string& name, const std::string& content) {
    std::ofstream(folder.file(name), std::ios::binary) << content;
    return folder.file(name);
  }
};

std::string out_of(const ProcessResult& result) {
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  CHECK(result.err.empty());
  return result.out;
}

}  // namespace

TEST_CASE_FIXTURE(Mission, "Replay.ShowsTheStateForPeopleAndForPrograms") {
  const std::string shown = out_of(run({"replay", "mission/1", "--handler", "merge"}));
  CAPTURE(shown);
  CHECK(contains(shown, "aggregate  mission/1 (Mission)\n"));
  CHECK(contains(shown, "number     3\n"));
  CHECK(contains(shown, "handler    merge\n"));
  CHECK(contains(shown, "events     3 applied\n"));
  CHECK(contains(shown, "snapshot   none\n"));
  CHECK(
      shown.ends_with("\n{\n  \"crew\": [\n    \"ada\",\n    \"grace\"\n  ],\n  \"n\": 1.0,\n  \"note\": "
                      "\"\\u001b[31m\"\n}\n"));
  const Json answer(out_of(run({"replay", "mission/1", "--json"})));
  CHECK(answer.number("/sequenceNumber") == 3);
  CHECK(answer.text("/handler/name") == "merge");
  CHECK(!answer.has("/diff"));
}

TEST_CASE_FIXTURE(Mission, "Replay.GoesToAnyMoment") {
  const auto state = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"replay", "mission/1", "--json"});
    return Json(out_of(run(std::move(arguments)))).at("/state").minified();
  };
  CHECK(state({"--to-sequence", "0"}) == "{}");
  CHECK(state({"--to-sequence", "1", "--no-snapshot"}) == R"({"name":"Apollo","crew":["ada"],"n":1.0})");
  CHECK(state({"--to-time", "2000-01-01T00:00:00Z"}) == "{}");
  CHECK(state({"--to-occurred", "2020-01-01T00:00:00Z", "--handler", "last"}) ==
        R"({"name":null,"note":"\u001b[31m"})");
  const auto beyond = run({"replay", "mission/1", "--to-sequence", "4"});
  CHECK(beyond.exit_code == 1);
  CHECK(contains(beyond.err, "stele replay: refused: 422"));
  const auto none = run({"replay", "mission/2"});
  CHECK(none.exit_code == 1);
  CHECK(contains(none.err, "404"));
}

TEST_CASE_FIXTURE(Mission, "Replay.ShowsWhatDiffers") {
  CHECK(out_of(run({"replay", "mission/1", "--diff", "1", "3"})) ==
        "- /name: \"Apollo\"\n+ /crew/1: \"grace\"\n+ /note: \"\\u001b[31m\"\n");
  CHECK(out_of(run({"replay", "mission/1", "--diff", "0", "1", "--handler", "last"})) ==
        "~ (the whole state): null -> {\"name\":\"Apollo\",\"crew\":[\"ada\"],\"n\":1.0}\n");
  CHECK(out_of(run({"replay", "mission/1", "--diff", "2", "2"})).empty());
  // Into a pipe there are no colours, whatever TERM says.
  CHECK(!contains(run({"replay", "mission/1", "--diff", "1", "3"}, {{"TERM", "xterm"}}).out, "\x1b"));
  const Json answer(out_of(run({"replay", "mission/1", "--diff", "1", "2", "--json"})));
  CHECK(answer.at("/diff").minified() == R"([{"op":"add","path":"/crew/1","value":"grace"}])");
  CHECK(answer.number("/sequenceNumber") == 2);
  const std::string compared = out_of(run({"replay", "mission/1", "--to-sequence", "2", "--compare-to", "1"}));
  CHECK(compared.ends_with("}\n\nSince number 1:\n+ /crew/1: \"grace\"\n"));
  CHECK(contains(out_of(run({"replay", "mission/1", "--compare-to", "3"})), "Since number 3:\nno difference\n"));
}

TEST_CASE_FIXTURE(Mission, "Replay.TriesAScript") {
  const std::string good = file("good.js", "({ $any: (state, event) => ({ last: event.sequenceNumber }) })");
  const std::string shown = out_of(run({"replay", "mission/1", "--handler-file", good}));
  CAPTURE(shown);
  CHECK(shown.ends_with("{\n  \"last\": 3\n}\n"));
  const std::string throws = file("throws.js", "({\n  Changed: () => { throw new Error('no \x1b') },\n})");
  const auto failed = run({"replay", "mission/1", "--handler-file", throws});
  CHECK(failed.exit_code == 1);
  CAPTURE(failed.err);
  CHECK(failed.err.starts_with(throws + ":2:"));
  CHECK(contains(failed.err, "no ?"));
  CHECK(failed.out.empty());
}

TEST_CASE_FIXTURE(Mission, "Replay.ReadsTheFolderOfAServerToo") {
  const std::string script = file("a.js", "({ $any: (state, event) => ({ last: event.sequenceNumber }) })");
  REQUIRE(run({"handler", "put", "Mission/last-number", script}).exit_code == 0);
  const auto both = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"replay", "mission/1", "--no-snapshot"});
    const ProcessResult from_server = run(arguments);
    arguments.insert(arguments.end(), {"--data", api.data()});
    const ProcessResult from_folder = run(std::move(arguments), {{"STELE_URL", "http://127.0.0.1:1"}});
    CHECK(from_folder.exit_code == from_server.exit_code);
    CHECK(from_folder.err == from_server.err);
    CHECK(from_folder.out == from_server.out);
    return from_folder.exit_code;
  };
  CHECK(both({}) == 0);
  CHECK(both({"--to-sequence", "1", "--compare-to", "3"}) == 0);
  CHECK(both({"--diff", "1", "3"}) == 0);
  CHECK(both({"--diff", "1", "3", "--json"}) == 0);
  CHECK(both({"--handler", "last-number", "--json"}) == 0);
  CHECK(both({"--handler-file", script}) == 0);
  CHECK(both({"--handler", "none"}) == 1);
  CHECK(both({"--to-sequence", "4"}) == 1);
  CHECK(run({"replay", "mission/1", "--data", folder.file("none")}).exit_code == 1);
}

TEST_CASE_FIXTURE(Mission, "Replay.RefusesWrongUsage") {
  const auto refused = [&](std::vector<std::string> arguments, std::string_view why) {
    arguments.insert(arguments.begin(), "replay");
    const auto result = run(std::move(arguments));
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    CHECK(contains(result.err, why));
  };
  refused({}, "AGGREGATE is required");
  refused({""}, "an argument is empty");
  refused({"a", "--handler="}, "--handler is given and empty");
  refused({"a", "--to-sequence", "1", "--to-time", "2020-01-01T00:00:00Z"}, "exclude each other");
  refused({"a", "--to-sequence", "-1"}, "is not a whole number");
  refused({"a", "--diff", "1"}, "--diff");
  refused({"a", "--diff", "1", "x"}, "'x' is not a whole number");
  refused({"a", "--diff", "1", "2", "--to-sequence", "3"}, "--diff excludes");
  refused({"a", "--handler", "x@0"}, "NAME@VERSION");
  refused({"a", "--handler", "x", "--handler-file", "y"}, "exclude each other");
  refused({"a", "--handler-file", folder.file("none.js")}, "cannot open");
  refused({"a", "--url", "ftp://x"}, "stele replay: ");
  const auto help = run({"replay", "--help"});
  CHECK(help.exit_code == 0);
  CHECK(contains(help.out, "--to-occurred TIME"));
  CHECK(contains(help.out, "Usage: stele replay [OPTIONS] AGGREGATE"));
}

TEST_CASE_FIXTURE(Mission, "Snapshot.IsTakenAndShown") {
  const auto none = run({"snapshot", "show", "mission/1"});
  CHECK(none.exit_code == 1);
  CHECK(contains(none.err, "stele snapshot show: refused: 404"));
  const std::string taken = out_of(run({"snapshot", "take", "mission/1"}));
  CHECK(contains(taken, "number     3\n"));
  const std::string shown = out_of(run({"snapshot", "show", "mission/1"}));
  CAPTURE(shown);
  CHECK(contains(shown, "aggregate  mission/1 (Mission)\n"));
  CHECK(contains(shown, "  \"n\": 1.0,\n"));
  CHECK(Json(out_of(run({"snapshot", "show", "mission/1", "--sequence", "3", "--json"}))).number("/sequenceNumber") ==
        3);
  CHECK(run({"snapshot", "show", "mission/1", "--sequence", "2"}).exit_code == 1);
  CHECK(run({"snapshot", "show", "mission/1", "--source", "client"}).exit_code == 1);
  REQUIRE(client.post("/v1/events/snapshot/mission%2F1", R"({"state":{"mine":1},"sequenceNumber":2})").status == 201);
  const std::string mine = out_of(run({"snapshot", "show", "mission/1", "--source", "client"}));
  CHECK(contains(mine, "source     client\n"));
  CHECK(mine.ends_with("{\n  \"mine\": 1\n}\n"));
  CHECK(contains(out_of(run({"replay", "mission/1"})), "events     0 applied\nsnapshot   at 3 ("));
}

TEST_CASE_FIXTURE(Mission, "Snapshot.PoliciesAreListedSetAndRemoved") {
  CHECK(contains(out_of(run({"snapshot", "policy", "list"})), "(all others)"));
  CHECK(contains(out_of(run({"snapshot", "policy", "set", "Mission", "--every", "50", "--keep", "3"})),
                 "Mission  50     3\n"));
  CHECK(out_of(run({"snapshot", "policy", "set", "Space Ship", "--every", "0"})).find("off") != std::string::npos);
  const std::string listed = out_of(run({"snapshot", "policy", "list"}));
  CAPTURE(listed);
  CHECK(contains(listed, "Mission       50"));
  CHECK(contains(listed, "Space Ship    off"));
  CHECK(Json(out_of(run({"snapshot", "policy", "list", "--json"}))).list("/policies").size() == 2);
  CHECK(out_of(run({"snapshot", "policy", "remove", "Mission"})).empty());
  CHECK(run({"snapshot", "policy", "remove", "Mission"}).exit_code == 1);
}

TEST_CASE_FIXTURE(Mission, "Snapshot.RefusesWrongUsage") {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"snapshot"},
                                             {"snapshot", "tak"},
                                             {"snapshot", "take"},
                                             {"snapshot", "show", "a", "--source", "other"},
                                             {"snapshot", "show", "a", "--sequence", "x"},
                                             {"snapshot", "policy"},
                                             {"snapshot", "policy", "set", "Mission"},
                                             {"snapshot", "policy", "set", "--every", "1"},
                                             {"snapshot", "policy", "remove"}}) {
    const auto result = run(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
  }
  CHECK(contains(run({"snapshot", "--help"}).out, "Usage: stele snapshot ACTION"));
  CHECK(contains(run({"snapshot", "policy", "--help"}).out, "  remove    "));
}

TEST_CASE_FIXTURE(Mission, "Handler.IsPutListedAndShown") {
  const std::string source = "({ $any: (state, event) => ({ last: event.sequenceNumber }) })\n";
  const std::string one = file("one.js", source);
  const std::string two = file("two.js", "({ $any: () => ({ two: 2 }) })");
  CHECK(out_of(run({"handler", "put", "Mission", one})) == "Mission/default version 1\n");
  CHECK(contains(out_of(run({"replay", "mission/1"})), "handler    default version 1"));
  CHECK(out_of(run({"handler", "put", "Mission", two})) == "Mission/default version 2\n");
  const auto again = run({"handler", "put", "Mission", two});
  CHECK(again.exit_code == 0);
  CHECK(again.out == "Mission/default version 2\n");
  CHECK(contains(again.err, "nothing new"));
  CHECK(Json(out_of(run({"handler", "put", "Mission/crew", one, "--json"}))).number("/version") == 1);
  const std::string listed = out_of(run({"handler", "list"}));
  CAPTURE(listed);
  CHECK(contains(listed, "TYPE     NAME     VERSION  REGISTERED"));
  CHECK(contains(listed, "Mission  default  2        20"));
  CHECK(contains(listed, "Mission  crew     1        20"));
  CHECK(Json(out_of(run({"handler", "list", "Mission", "--json"}))).list("/handlers").size() == 2);
  CHECK(!contains(out_of(run({"handler", "list", "Other"})), "Mission"));
  const std::string versions = out_of(run({"handler", "show", "Mission"}));
  CAPTURE(versions);
  CHECK(contains(versions, "\n1        20"));
  CHECK(contains(versions, "\n2        20"));
  CHECK(!contains(out_of(run({"handler", "show", "Mission", "--version", "1"})), "\n2 "));
  CHECK(out_of(run({"handler", "show", "Mission", "--version", "1", "--source"})) == source);
  CHECK(contains(out_of(run({"handler", "show", "Mission/default", "--source"})), "two: 2"));
  CHECK(Json(out_of(run({"handler", "show", "Mission", "--version", "1", "--json"}))).text("/source") == source);
  CHECK(contains(out_of(run({"replay", "mission/1", "--handler", "default@1"})), "\"last\": 3"));
  CHECK(run({"handler", "show", "Mission/none"}).exit_code == 1);
}

TEST_CASE_FIXTURE(Mission, "Handler.FaultsOfTheScriptAreToldWithTheirPlace") {
  const std::string broken = file("broken.js", "({\n  Changed: (state => state,\n})");
  const auto result = run({"handler", "put", "Mission", broken});
  CHECK(result.exit_code == 1);
  CHECK(result.out.empty());
  CAPTURE(result.err);
  CHECK(result.err.starts_with(broken + ":"));
  CHECK(result.err.find(": ", broken.size()) != std::string::npos);
  CHECK(contains(result.err, "SyntaxError"));
}

TEST_CASE_FIXTURE(Mission, "Handler.RefusesWrongUsage") {
  const std::string empty = file("empty.js", "");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"handler"},
                                             {"handler", "remove"},
                                             {"handler", "put", "Mission"},
                                             {"handler", "put", "Mission", folder.file("none.js")},
                                             {"handler", "put", "Mission", empty},
                                             {"handler", "put", "/x", empty},
                                             {"handler", "put", "Mission/", empty},
                                             {"handler", "show"},
                                             {"handler", "show", "Mission", "--version", "x"},
                                             {"handler", "show", "Mission", "--source", "--json"}}) {
    const auto result = run(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
  }
  CHECK(contains(run({"handler", "put", "--help"}).out, "FILE.js:line:column"));
}

}  // namespace stele::tests
