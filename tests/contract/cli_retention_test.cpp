// `stele audit hold` and `stele audit retention`, and that both are there after a kill; what a server does by itself.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

ProcessResult audit_tool(const Api& api, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "audit");
  arguments.insert(arguments.end(), {"--url", "http://127.0.0.1:" + std::to_string(api.port())});
  return run_stele(arguments);
}

/// Whether a file of the folder holds the text.
bool is_in_folder(const std::string& folder, const std::string& text) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::error_code gone;
    if (!entry.is_regular_file(gone)) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    if (bytes.str().find(text) != std::string::npos) return true;
  }
  return false;
}

/// Waits until that is so.
void wait_until_in_folder(const std::string& folder, const std::string& text, bool is_there) {
  wait_until([&] { return is_in_folder(folder, text) == is_there; });
}

/// One whose clock is ahead by so many seconds (tests/preload/shifted_clock.cpp).
ServerProcess start_ahead(const test::TempFolder& folder, std::int64_t seconds) {
  const std::string shift = folder.file("shift");
  std::ofstream(shift, std::ios::binary).write(reinterpret_cast<const char*>(&seconds), sizeof seconds);
  return ServerProcess::start({.data = folder.file("data"),
                               .arguments = {"--segment-size", "64KiB", "--audit-reads", "all"},
                               .environment = {{"LD_PRELOAD", shifted_clock()}, {"SHIFTED_CLOCK", shift}}});
}

}  // namespace

TEST_CASE("AuditHold.IsPlacedKeptOverAKillAndReleased") {
  Api api;
  HttpClient client = api.client();
  append(client, event_json("mission/1", "Begun", R"({"n":"of the case"})", R"(,"userId":"ada")"));
  const ProcessResult placed = audit_tool(api, {"hold", "place", "suit-17", "--user", "ada", "--from",
                                                "2020-01-01T00:00:00Z", "--reason", "a suit is pending"});
  CHECK_MESSAGE(placed.exit_code == 0, placed.err);
  CHECK(contains(placed.out, "reason     a suit is pending\n"));
  CHECK(contains(placed.out, R"(users      "ada")"));
  CHECK(contains(audit_tool(api, {"hold", "list"}).out, "suit-17"));
  CHECK(audit_tool(api, {"hold", "place", "suit-17", "--reason", "r"}).exit_code == 1);
  CHECK(audit_tool(api, {"hold", "place", "suit-17", "--user", "ada"}).exit_code == 2);
  api.kill_and_restart();
  HttpClient after = api.client();
  const ProcessResult shown = audit_tool(api, {"hold", "show", "suit-17", "--json"});
  CHECK(contains(shown.out, R"("userIds":["ada"])"));
  const auto redact = [&] { return after.post("/v1/aggregates/mission%2F1/redact", R"({"reason":"it must go"})"); };
  check_problem(redact(), 409);
  CHECK(audit_tool(api, {"hold", "release", "suit-17"}).exit_code == 0);
  CHECK(contains(audit_tool(api, {"hold", "release", "suit-17"}).err, "hold-not-found"));
  CHECK(redact().status == 202);
}

TEST_CASE("AuditRetention.IsSetAndThereAfterAKill") {
  Api api({"--retention-minimum", "read=30d,administration=forever"});
  const ProcessResult before = audit_tool(api, {"retention", "show"});
  CHECK(contains(before.out, "read            forever  forever  30d\n"));
  CHECK(contains(before.out, "delivery        forever  forever  0\n"));
  const ProcessResult set = audit_tool(api, {"retention", "set", "--read", "90d", "--delivery", "36h"});
  CHECK_MESSAGE(set.exit_code == 0, set.err);
  CHECK(contains(set.out, "read            90d      90d      30d\n"));
  const ProcessResult below = audit_tool(api, {"retention", "set", "--read", "29d"});
  CHECK(below.exit_code == 1);
  CHECK(contains(below.err, "/read"));
  CHECK(audit_tool(api, {"retention", "set", "--reads", "29d"}).exit_code == 2);
  api.kill_and_restart();
  const ProcessResult after = audit_tool(api, {"retention", "show", "--json"});
  CHECK(contains(after.out,
                 R"("policy":{"read":"90d","refusal":"forever","administration":"forever","delivery":"36h"})"));
  CHECK(contains(after.out,
                 R"("effective":{"read":"90d","refusal":"forever","administration":"forever","delivery":"36h"})"));
}

TEST_CASE("AuditRetention.BodiesOfActionsGoWhenTheirTimeIsOverAndTheLogIsStillTheOneThatWasSigned") {
  const test::TempFolder folder;
  const std::string data = folder.file("data");
  {
    ServerProcess server = start_ahead(folder, 0);
    HttpClient client(server.port());
    REQUIRE(client.post("/v1/events", event_json("mission/1", "Begun", R"({"n":"sought-by-nobody"})")).status == 201);
    REQUIRE(client.get("/v1/events?aggregateId=sought-by-somebody").status == 200);
    REQUIRE(client.get("/v1/events/0192f0c4-9000-7000-8000-000000000021?x=refused-to-somebody").status == 400);
    wait_until_in_folder(data, "sought-by-somebody", true);
    wait_until_in_folder(data, "refused-to-somebody", true);
    REQUIRE(client.request("PUT", "/v1/audit/retention", R"({"read":"1d"})", {{"Content-Type", "application/json"}})
                .status == 200);
    server.kill();
  }
  ServerProcess server = start_ahead(folder, 2 * 86'400);
  wait_until_in_folder(data, "sought-by-somebody", false);
  CHECK(is_in_folder(data, "refused-to-somebody"));
  CHECK(is_in_folder(data, "sought-by-nobody"));
  HttpClient client(server.port());
  CHECK(contains(client.get("/v1/events?aggregateId=mission%2F1").body, "sought-by-nobody"));
  wait_until(
      [&] { return contains(client.get("/v1/events/audit?action=redaction.complete").body, "redaction.complete"); });
  client.close();
  CHECK(server.stop() == 0);
  const ProcessResult verified = run_stele({"verify", data});
  CHECK_MESSAGE(verified.exit_code == 0, verified.out);
}

TEST_CASE("Serve.RefusesLeastTimesThatAreNone") {
  const test::TempFolder folder;
  for (const char* const bad : {"read", "read=", "read=1h", "reads=1d", "read=36501d", "read=1d,read=2d", "=1d"}) {
    CAPTURE(bad);
    const auto result =
        run_stele({"serve", "--data", folder.file("data"), "--retention-minimum", bad, "--print-config"});
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, "--retention-minimum"));
  }
}

}  // namespace stele::tests
