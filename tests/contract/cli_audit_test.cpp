// `stele audit`, and what a server records of itself and its callers.

#include <doctest/doctest.h>

#include <chrono>
#include <sstream>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

ProcessResult audit_list(const Api& api, std::vector<std::string> arguments) {
  std::vector<std::string> all{"audit", "list", "--url", "http://127.0.0.1:" + std::to_string(api.port())};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_stele(all);
}

/// Waits for records that come a second after what they tell.
ProcessResult wait_for_audit(const Api& api, const std::vector<std::string>& arguments, std::string_view part) {
  ProcessResult result;
  wait_until([&] {
    result = audit_list(api, arguments);
    return result.exit_code != 0 || result.out.find(part) != std::string::npos;
  });
  return result;
}

}  // namespace

TEST_CASE("Audit.ListsWhoDidWhatOverARestart") {
  Api api({"--audit-reads", "all"});
  HttpClient client = api.client();
  append(client, event_json("mission/1", "Begun", "{}", R"(,"userId":"ada")"));
  CHECK(client.get("/v1/events?aggregateId=mission%2F1").status == 200);
  check_problem(client.post("/v1/events", "{}"), 422);

  const ProcessResult table = wait_for_audit(api, {}, "events.query");
  CAPTURE(table.err);
  CHECK(table.exit_code == 0);
  CHECK(contains(table.out, "POSITION"));
  CHECK(contains(table.out, "server.start"));
  CHECK(contains(table.out, "aggregate:mission/1"));
  CHECK(contains(table.out, "ada"));
  const ProcessResult refused =
      wait_for_audit(api, {"--json", "--action", "event.append", "--outcome", "refused"}, "event.append");
  CHECK(contains(refused.out, R"("statuses":{"422":1})"));
  const ProcessResult by_user = audit_list(api, {"--json", "--user", "ada"});
  CHECK(contains(by_user.out, R"("eventType":"Begun")"));
  CHECK(audit_list(api, {"--json", "--resource", "aggregate:mission/1", "--limit", "1"}).out == by_user.out);

  CHECK(api.server().stop() == 0);
  api.kill_and_restart();
  const ProcessResult servers = audit_list(api, {"--order", "desc"});
  CHECK(contains(servers.out, "server.stop"));
  CHECK(servers.out.find("server.start") < servers.out.find("server.stop"));
  CHECK(contains(audit_list(api, {"--json", "--action", "server.start"}).out, R"("audit-reads":"all")"));
}

TEST_CASE("Audit.RequestsThatNeverCameWholeAreOneRecordWithoutAnythingOfTheirs") {
  Api api({"--header-timeout", "3s", "--body-size-max", "64KiB"});
  HttpClient client = api.client();
  const auto answered = [&](const std::string& from, const std::string& bytes, std::string_view status) {
    RawClient raw(api.port(), {.from = from});
    CHECK(raw.send(bytes));
    CHECK(raw.wait_for_end());
    CHECK_MESSAGE(contains(raw.received(), status), raw.received());
  };
  const std::string telling = "X-Correlation-Id: telltale\r\nHost: localhost\r\n";
  answered("127.0.0.2", "GET /telltale HTTP/1.1\r\n" + telling + " folded: line\r\n\r\n", "HTTP/1.1 400 ");
  answered("127.0.0.3", "GET /" + std::string(70'000, 'x') + " HTTP/1.1\r\n" + telling + "\r\n", "HTTP/1.1 414 ");
  answered("127.0.0.4", "GET /telltale HTTP/1.1\r\n" + telling + "X-Long: " + std::string(70'000, 'x') + "\r\n\r\n",
           "HTTP/1.1 431 ");
  answered("127.0.0.5",
           "POST /v1/events HTTP/1.1\r\n" + telling +
               "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" +
               std::string(0x20000, 'x'),
           "HTTP/1.1 413 ");
  answered("127.0.0.6", "GET /telltale HTTP/1.1\r\n" + telling, "HTTP/1.1 408 ");

  std::string records;
  REQUIRE(eventually([&] {
    records = audit_list(api, {"--json", "--action", "request.refused", "--outcome", "refused"}).out;
    return contains(records, R"("400":)") && contains(records, R"("414":)") && contains(records, R"("431":)") &&
           contains(records, R"("413":)") && contains(records, R"("408":)");
  }));
  CAPTURE(records);
  CHECK(!contains(records, "telltale"));
  CHECK(!contains(records, "127.0.0."));
  std::istringstream lines(records);
  for (std::string line; std::getline(lines, line);) {
    const Json record(line);
    for (const std::string member : {"/userId", "/principal", "/remoteAddress", "/correlationId", "/resource"}) {
      CAPTURE(member);
      CHECK(record.is_null(member));
    }
  }
}

TEST_CASE("Audit.SaysWhyItFindsNothing") {
  Api api;
  const ProcessResult unknown = audit_list(api, {"--action", "nothing"});
  CHECK(unknown.exit_code == 1);
  CHECK(contains(unknown.err, "stele audit list: refused: 400 invalid-parameter"));
  CHECK(audit_list(api, {"--outcome", "perhaps"}).exit_code == 2);
  CHECK(run_stele({"audit"}).exit_code == 2);
  CHECK(audit_list(api, {"--user", "nobody"}).out.empty());
}

}  // namespace stele::tests
