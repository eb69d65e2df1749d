// `stele append` and `stele query` against a real server.

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "tests/support/build_paths.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// A server and the commands that talk to it.
struct Fixture {
  test::TempFolder folder;
  ServerProcess server = ServerProcess::start({folder.file("data"), {"--segment-size", "1MiB"}, {}, 0});

  ProcessResult run(std::vector<std::string> arguments, std::string_view input = {}) {
    return run_stele(arguments, input, {{"STELE_URL", server.url()}});
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "Append.PrintsTheReceiptAndQueryGivesTheEventBack") {
  const auto appended =
      run({"append", "--type", "MissionCreated", "--aggregate", "mission/é 1", "--aggregate-type", "Mission", "--user",
           "u1", "--data", R"({"name": "Apollo",  "n": 1.0})", "--metadata", R"({"source":"test"})", "--occurred-at",
           "2020-01-01T00:00:00+02:00", "--version", "3", "--sequence", "1"});
  CAPTURE(appended.err);
  REQUIRE(appended.exit_code == 0);
  CHECK(contains(appended.out, "\"sequenceNumber\":1"));

  const auto found =
      run({"query", "--aggregate", "mission/é 1", "--type", "Other", "--type", "MissionCreated", "--user", "u1",
           "--occurred-from", "2019-12-31T22:00:00Z", "--occurred-to", "2019-12-31T22:00:01Z", "--order", "desc"});
  CAPTURE(found.out);
  REQUIRE(found.exit_code == 0);
  CHECK(line_count(found.out) == 1);
  CHECK(contains(found.out, R"("data":{"name":"Apollo","n":1.0})"));
  CHECK(contains(found.out, R"("metadata":{"source":"test"})"));
  CHECK(contains(found.out, R"("version":3)"));

  const auto none = run({"query", "--type", "Other"});
  CHECK(none.exit_code == 0);
  CHECK(none.out.empty());
}

TEST_CASE_FIXTURE(Fixture, "Append.TagsAreGivenOneByOneAndAllOfThemAreQueriedFor") {
  const auto append = [&](std::vector<std::string> tags) {
    std::vector<std::string> arguments{"append", "--type", "T", "--aggregate", "a", "--data", "{}"};
    for (std::string& tag : tags) arguments.insert(arguments.end(), {"--tag", std::move(tag)});
    return run(arguments);
  };
  CHECK(contains(append({"student 2", "course:1, \"a\""}).out, R"("tags":["course:1, \"a\"","student 2"])"));
  CHECK(append({"student 2"}).exit_code == 0);
  CHECK_FALSE(contains(append({}).out, "tags"));
  const auto refused = append({"a", "a"});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "/tags/1"));
  const auto found = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "query");
    return line_count(run(arguments).out);
  };
  CHECK(found({}) == 3);
  CHECK(found({"--tag", "student 2"}) == 2);
  CHECK(found({"--tag", "student 2", "--tag", "course:1, \"a\""}) == 1);
  CHECK(found({"--tag", "student 2", "--tag", "none"}) == 0);
  CHECK(run({"append", "-", "--tag", "a"}, "").exit_code == 2);
}

TEST_CASE_FIXTURE(Fixture, "Query.BoundsOfTimeCountToTheirLastDigit") {
  const auto append = [&](const std::string& occurred_at) {
    return run({"append", "--type", "T", "--aggregate", "a", "--data", "{}", "--occurred-at", occurred_at});
  };
  CHECK(append("2026-03-01T12:00:00.123456Z").exit_code == 0);
  const auto refused = append("2026-03-01T12:00:00.123456789Z");
  CAPTURE(refused.err);
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "at most six fractional digits"));
  const auto found = [&](const char* flag, const char* time) {
    const auto result = run({"query", flag, time});
    CHECK(result.exit_code == 0);
    return line_count(result.out);
  };
  CHECK(found("--occurred-to", "2026-03-01T12:00:00.123456789Z") == 1);
  CHECK(found("--occurred-to", "2026-03-01T12:00:00.123456000Z") == 0);
  CHECK(found("--occurred-from", "2026-03-01T12:00:00.123456Z") == 1);
  CHECK(found("--occurred-from", "2026-03-01T12:00:00.1234561Z") == 0);
  CHECK(found("--to", "9999-12-31T23:59:59.999999999Z") == 1);
  CHECK(found("--from", "9999-12-31T23:59:59.999999999Z") == 0);
  CHECK(contains(run({"query", "--from", "2026-03-01T12:00:00.1234567890Z"}).err, "at most nine fractional digits"));
}

TEST_CASE_FIXTURE(Fixture, "Append.TakesDataFromAFileAndFromStdin") {
  std::ofstream(folder.file("data.json")) << R"({"from":"file"})";
  CHECK(run({"append", "--type", "T", "--aggregate", "a", "--data", "@" + folder.file("data.json")}).exit_code == 0);
  CHECK(run({"append", "--type", "T", "--aggregate", "a", "--data", "-"}, R"(["from stdin"])").exit_code == 0);
  const auto found = run({"query", "--aggregate", "a"});
  CHECK(contains(found.out, R"("data":{"from":"file"})"));
  CHECK(contains(found.out, R"("data":["from stdin"])"));
  CHECK(run({"append", "--type", "T", "--aggregate", "a", "--data", "@" + folder.file("missing")}).exit_code == 2);
  CHECK(run({"append", "--type", "T", "--aggregate", "a", "--data", R"(1,"userId":"smuggled")"}).exit_code == 2);
  CHECK(run({"append", "--type", "T", "--data", "1"}).exit_code == 2);
}

TEST_CASE_FIXTURE(Fixture, "Append.ListFromStdinIsAllOrNothing") {
  const auto good = run({"append", "-"}, R"({"eventType":"T","aggregateId":"l","data":1})"
                                         "\n"
                                         R"({"eventType":"T","aggregateId":"l","data":2})"
                                         "\n");
  CHECK(good.exit_code == 0);
  const auto bad = run({"append", "-"}, R"({"eventType":"T","aggregateId":"l","data":3})"
                                        "\n"
                                        R"({"eventType":"T","data":4})"
                                        "\n");
  CHECK(bad.exit_code == 1);
  CHECK(contains(bad.err, "aggregateId"));
  CHECK(line_count(run({"query", "--aggregate", "l"}).out) == 2);
}

TEST_CASE_FIXTURE(Fixture, "Append.RepeatAndRefusalAreTold") {
  const std::vector<std::string> arguments{
      "append", "--type", "T", "--aggregate", "r", "--data", "1", "--event-id", "0190a000-0000-7000-8000-000000000001"};
  const auto first = run(arguments);
  const auto second = run(arguments);
  CHECK(second.exit_code == 0);
  CHECK(first.out == second.out);
  CHECK(contains(second.err, "stored before"));
  auto other = arguments;
  other[6] = "2";
  const auto conflict = run(other);
  CHECK(conflict.exit_code == 1);
  CHECK(conflict.out.empty());
  CHECK(contains(conflict.err, "event-id-conflict"));
}

TEST_CASE_FIXTURE(Fixture, "Query.LimitAndTable") {
  std::string lines;
  for (int i = 0; i < 250; ++i) {
    lines += R"({"eventType":"Counted","aggregateId":"t","userId":"\u001b[2Jx","data":)" + std::to_string(i) + "}\n";
  }
  // A control character in userId is refused, so it cannot be stored there; in data it can.
  CHECK(run({"append", "-"}, lines).exit_code == 1);
  lines.clear();
  for (int i = 0; i < 250; ++i)
    lines += R"({"eventType":"Counted","aggregateId":"t","data":"\u0085\u001b[2J"})"
             "\n";
  REQUIRE(run({"append", "-"}, lines).exit_code == 0);
  CHECK(line_count(run({"query"}).out) == 250);
  CHECK(line_count(run({"query", "--limit", "7"}).out) == 7);
  CHECK(line_count(run({"query", "--from-sequence", "10", "--to-sequence", "12", "--aggregate", "t"}).out) == 3);
  const auto table = run({"query", "--format", "table", "--limit", "2"});
  CHECK(line_count(table.out) == 3);
  CHECK(table.out.starts_with(" POSITION"));
  CHECK(contains(table.out, "Counted"));
  CHECK(!contains(table.out, "\x1b"));
}

TEST_CASE_FIXTURE(Fixture, "Cli.AnEmptyValueIsWrongUsageAndNeverTheSameAsNone") {
  const std::vector<std::string> event{"append", "--type", "T", "--aggregate", "a", "--data", "1"};
  REQUIRE(run(event).exit_code == 0);
  const auto refused = [&](std::vector<std::string> arguments, const std::string& flag) {
    for (const bool joined : {false, true}) {
      auto all = arguments;
      if (joined) {
        all.push_back(flag + "=");
        all.insert(all.end(), {"--limit", "1"});  // not what the flag is given
      } else {
        all.insert(all.end(), {flag, ""});
      }
      CAPTURE(flag);
      CAPTURE(joined);
      const auto result = run(all);
      CAPTURE(result.err);
      CHECK(result.exit_code == 2);
      CHECK(result.out.empty());
      CHECK(contains(result.err, "empty"));
    }
  };
  for (const char* flag : {"--aggregate",
                           "--aggregate-type",
                           "--type",
                           "--user",
                           "--correlation-id",
                           "--from",
                           "--to",
                           "--occurred-from",
                           "--occurred-to",
                           "--from-sequence",
                           "--to-sequence",
                           "--after-position",
                           "--order",
                           "--limit",
                           "--format",
                           "--min-position",
                           "--url",
                           "--ca",
                           "--client-cert",
                           "--client-key",
                           "--token-file"}) {
    refused({"query"}, flag);
  }
  for (const char* flag :
       {"--type", "--aggregate", "--aggregate-type", "--data", "--metadata", "--user", "--event-id", "--correlation-id",
        "--causation-id", "--occurred-at", "--version", "--sequence", "--idempotency-key", "--url"}) {
    refused(event, flag);
  }
  for (const char* flag : {"--url", "--batch", "--retry-for", "--line-size-max", "--token-file"}) {
    refused({"import", "-"}, flag);
  }
  for (const char* flag :
       {"--name", "--role", "--aggregate-type", "--expires-in", "--expires-at", "--data", "--key-store"}) {
    refused({"token", "create"}, flag);
  }
  CHECK(run({"import", ""}).exit_code == 2);
  CHECK(run({"append", ""}).exit_code == 2);
  CHECK(run({"token", "revoke", "", "--data", folder.path()}).exit_code == 2);
  CHECK(run({"query", "--include-system="}).exit_code == 2);
  CHECK(run({"query", "--include-system=2"}).exit_code == 2);
  CHECK(run({"import", "-", "--strict={}"}).exit_code == 2);
  CHECK(line_count(run({"query"}).out) == 1);
  CHECK(line_count(run({"query", "--include-system=yes"}).out) > 1);
  CHECK(line_count(run({"query", "--include-system=off"}).out) == 1);
  // An empty variable of the environment counts as not set.
  CHECK(run_stele({"query"}, {}, {{"STELE_URL", server.url()}, {"STELE_TOKEN", ""}, {"STELE_CA", ""}}).exit_code == 0);
}

TEST_CASE_FIXTURE(Fixture, "Cli.TextsAreTakenAsTheyStand") {
  const std::vector<std::string> odd{"[x,y]", "{}", "a,b", "\"q\"", "--user", "-", " ", "%%"};
  for (const std::string& text : odd) {
    CAPTURE(text);
    const auto appended = run({"append", "--type", "T", "--aggregate", text, "--user", text, "--data", "1"});
    CAPTURE(appended.err);
    CHECK(appended.exit_code == 0);
    CHECK(line_count(run({"query", "--aggregate", text, "--user", text}).out) == 1);
  }
  CHECK(run({"query", "--type", "{}"}).out.empty());
  CHECK(run({"query", "--type", "[T,U]"}).out.empty());
  CHECK(line_count(run({"query", "--type", "T", "--type", "U"}).out) == odd.size());
}

TEST_CASE_FIXTURE(Fixture, "Append.ValuesThatAreNoValuesGetTheServersWords") {
  const auto refused = [&](const std::string& data) {
    const auto result = run({"append", "--type", "T", "--aggregate", "a", "--data", data});
    CHECK(result.exit_code == 2);
    return result.err;
  };
  CHECK(contains(refused("1e400"), "The number is beyond the range of a double."));
  CHECK(contains(refused(R"({"a":[1,"\ud800"]})"), "/a/1: The string contains a lone surrogate."));
  CHECK(contains(refused("123456789012345678901"), "An integer must fit into 64 bits."));
  CHECK(contains(refused("{\"a\":}"), "A value was expected. (byte 5)"));
  const std::string line =
      R"({"eventId":"0190a000-0000-7000-8000-000000000001","eventType":"T","aggregateId":"a","data":)";
  const auto imported = run({"import", "-"}, line + "1e400}\n" + line + R"("\ud800"})" + "\n");
  CHECK(contains(imported.err, "line 1: /data: The number is beyond the range of a double."));
  CHECK(contains(imported.err, "line 2: /data: The string contains a lone surrogate."));
}

TEST_CASE_FIXTURE(Fixture, "Append.InputThatCannotBeReadIsNotTakenForItsEnd") {
  const auto with_a_folder_as_stdin = [&](const std::string& arguments) {
    return run_process({"/bin/sh", "-c", R"(exec "$0" append --url "$1" )" + arguments + R"( <"$2")", stele_binary(),
                        server.url(), folder.path()});
  };
  for (const char* const arguments : {"-", "--type T --aggregate a --data -"}) {
    CAPTURE(arguments);
    const auto result = with_a_folder_as_stdin(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK(contains(result.err, "stele append: "));
    CHECK(contains(result.err, "stdin"));
    CHECK(contains(result.err, "Is a directory"));
  }
  const std::vector<std::string> event{"append", "--type", "T", "--aggregate", "a"};
  for (const std::vector<std::string>& data :
       {std::vector<std::string>{"--data", "@" + folder.path()}, {"--data", "1", "--metadata", "@" + folder.path()}}) {
    std::vector<std::string> arguments = event;
    arguments.insert(arguments.end(), data.begin(), data.end());
    const auto result = run(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK(contains(result.err, data[data.size() - 2] + ": cannot read"));
    CHECK(contains(result.err, folder.path()));
    CHECK(contains(result.err, "Is a directory"));
  }
  const auto token = run({"query", "--token-file", folder.path()});
  CHECK(token.exit_code == 2);
  CHECK(contains(token.err, "--token-file: cannot read"));
  CHECK(contains(token.err, "Is a directory"));
  const auto handler = run({"handler", "put", "Mission", folder.path()});
  CHECK(handler.exit_code == 1);
  CHECK(contains(handler.err, folder.path()));
  CHECK(run({"query"}).out.empty());
}

TEST_CASE_FIXTURE(Fixture, "Cli.AFaultIsToldOnce") {
  const auto times = [](const std::string& text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  CHECK(times(run({"query", "--from", "yesterday"}).err, "RFC 3339") == 1);
  CHECK(times(run({"append", "-"}, "{\"eventType\":\"T\",\"data\":1}\n").err, "/aggregateId") == 1);
  const auto two = run({"append", "-"}, "{\"eventType\":\"T\",\"data\":1,\"odd\":1}\n");
  CHECK(times(two.err, "/odd") == 1);
  CHECK(times(two.err, "/aggregateId") == 1);
  const std::string surrogates = R"({"eventType":"T","aggregateId":"n","data":"\udc00\ud800"})"
                                 "\n";
  CHECK(times(run({"import", "-"}, surrogates).err, "lone surrogate") == 1);
  CHECK(times(run({"append", "-"}, surrogates).err, "lone surrogate") == 1);
  const auto taken = run_stele({"serve", "--data", folder.file("b"), "--listen", server.url().substr(7)});
  CHECK(taken.exit_code == 1);
  CHECK(times(taken.err, "cannot listen on") == 1);
}

TEST_CASE_FIXTURE(Fixture, "Cli.UrlsAreReadAsTheyAreMeant") {
  const std::string port = std::to_string(server.port());
  for (const std::string& url :
       {"HTTP://LocalHost:" + port, "http://LOCALHOST.:" + port + "/", "Http://anything.localhost:" + port}) {
    CAPTURE(url);
    const auto result = run_stele({"append", "--url", url, "--type", "T", "--aggregate", "a", "--data", "1"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
  }
  // A port is a port, and not what is left of a larger number.
  for (const std::string& wrong : {std::to_string(65536 + server.port()), std::string("0"), std::string("65536"),
                                   std::string("99999999999999999999"), std::to_string(4294967296LL + server.port())}) {
    const auto result =
        run_stele({"append", "--url", "http://127.0.0.1:" + wrong, "--type", "T", "--aggregate", "a", "--data", "1"});
    CAPTURE(wrong);
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, "port"));
  }
  for (const std::string& odd :
       {"127.0.0.1:+" + port, std::string("127.0.0.1:-1"), std::string("localhost:x"), "127.0.0.1:" + port + "x",
        "127.0.0.1:" + port + "+1/x", "localhost:" + port + ":" + port, "[::1]x:" + port, "[::1]" + port}) {
    CAPTURE(odd);
    const auto result = run_stele({"query", "--url", "http://" + odd});
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, "port"));
  }
  // A host is an address only as a whole.
  CHECK(run_stele({"query", "--url", "http://127.0.0.1.localhost:" + port}).exit_code == 0);
  const auto unknown = run_stele({"query", "--url", "http://127.0.0.1x.invalid:" + port});
  CHECK(unknown.exit_code == 1);
  CHECK(contains(unknown.err, "cannot find 127.0.0.1x.invalid:" + port));
  CHECK(line_count(run({"query"}).out) == 3);
}

TEST_CASE_FIXTURE(Fixture, "Query.RefusalAndAbsentServerAreFailures") {
  const auto refused = run({"query", "--from", "yesterday"});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "from"));
  CHECK(server.stop() == 0);
  const auto absent = run({"query"});
  CHECK(absent.exit_code == 1);
  CHECK(contains(absent.err, "cannot connect"));
}

}  // namespace stele::tests
