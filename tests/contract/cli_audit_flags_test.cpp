// What is recorded is what the flags of the server say, and `stele audit list` shows what the endpoint gives.

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

constexpr const char* kTrail = "/v1/events/audit";

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// A search in the trail, a record a line.
std::vector<std::string> trail_lines(HttpClient& client, const std::string& query, Headers headers = {}) {
  headers.emplace_back("Accept", "application/x-ndjson");
  const HttpResponse found = client.get(kTrail + query, headers);
  REQUIRE_MESSAGE(found.status == 200, found.body);
  return lines_in(found.body);
}

std::uint64_t calls_in(const std::vector<std::string>& records) {
  std::uint64_t calls = 0;
  for (const std::string& record : records) calls += Json(record).number("/details/count");
  return calls;
}

/// A server with authentication, and keys.
struct KeyedServer {
  test::TempFolder folder;
  ServerProcess server = ServerProcess::start(
      {folder.file("data"), {"--segment-size", "1MiB", "--auth", "on", "--audit-reads", "all"}, {}, 0});

  [[nodiscard]] ProcessResult token(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "token");
    arguments.insert(arguments.end(), {"--data", folder.file("data")});
    return run_stele(arguments);
  }
  [[nodiscard]] std::string key(const std::string& role, const std::string& name) const {
    const ProcessResult made = token({"create", "--role", role, "--name", name});
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    return made.out.substr(0, made.out.find('\n'));
  }
  [[nodiscard]] static Headers bearer(const std::string& key) { return {{"Authorization", "Bearer " + key}}; }
};

}  // namespace

TEST_CASE("AuditFlags.ReadsAreRecordedAsAuditReadsSays") {
  for (const std::string reads : {"all", "sensitive", "none"}) {
    CAPTURE(reads);
    Api api({"--audit-reads", reads});
    HttpClient client = api.client();
    for (const char* const target : {"/healthz", "/readyz", "/metrics", "/openapi.json", "/problems"}) {
      CHECK(client.get(target).status == 200);
    }
    CHECK(client.get("/v1/events").status == 200);
    CHECK(client.get("/v1/audit/holds").status == 200);
    CHECK(client.get("/v1/aggregates/nothing").status == 404);
    CHECK(client.get("/v1/events?limit=0").status == 400);
    // What came before it in its second is there with it.
    REQUIRE(eventually([&] { return !trail_lines(client, "?action=events.query&outcome=refused").empty(); }));
    CHECK(calls_in(trail_lines(client, "?action=events.query&outcome=done")) == (reads == "all" ? 1 : 0));
    CHECK(calls_in(trail_lines(client, "?action=holds.list")) == (reads == "none" ? 0 : 1));
    CHECK(calls_in(trail_lines(client, "?action=aggregate.show&outcome=refused")) == 1);
    for (const std::string& record : trail_lines(client, "")) {
      for (const char* const name : {"healthz", "readyz", "metrics", "openapi", "problems"}) {
        CHECK_MESSAGE(!contains(record, name), record);
      }
    }
    const auto start = trail_lines(client, "?action=server.start");
    REQUIRE(start.size() == 1);
    CHECK(Json(start[0]).text("/details/audit-reads") == reads);
    CHECK(Json(start[0]).text("/details/audit-reads-durable") == "off");
  }
}

TEST_CASE("AuditFlags.ADurableReadIsRecordedBeforeItIsAnswered") {
  Api api({"--audit-reads", "all", "--audit-reads-durable"});
  HttpClient client = api.client();
  for (std::uint64_t i = 1; i <= 5; ++i) {
    CHECK(client.get("/v1/head").status == 200);
    CHECK(calls_in(trail_lines(client, "?action=log.head")) == i);
  }
  CHECK(Json(trail_lines(client, "?action=server.start")[0]).text("/details/audit-reads-durable") == "on");
}

TEST_CASE("AuditFlags.WhatCannotBeRecordedIsServedOrRefused") {
  for (const std::string mode : {"serve", "refuse"}) {
    CAPTURE(mode);
    Api api({"--audit-reads", "all", "--on-audit-failure", mode});
    HttpClient client = api.client();
    CHECK(Json(trail_lines(client, "?action=server.start")[0]).text("/details/on-audit-failure") == mode);
    CHECK(client.get("/v1/head").status == 200);
    // Nothing is written any more from here on.
    std::filesystem::remove(api.data() + "/lock");
    REQUIRE(eventually([&] {
      const HttpResponse head = client.get("/v1/head");
      if (mode == "refuse" && head.status == 503) return true;
      CHECK(head.status == 200);
      return mode == "serve" && contains(client.get("/readyz").body, "actions cannot be recorded");
    }));
    if (mode == "refuse") {
      check_problem(client.get("/v1/head"), 503, "audit-unavailable");
      check_problem(client.get("/v1/events"), 503, "audit-unavailable");
      CHECK(!client.get("/v1/events").header("Retry-After").empty());
    } else {
      CHECK(client.get("/v1/head").status == 200);
      CHECK(client.get("/v1/events").status == 200);
    }
    for (const char* const target : {"/healthz", "/metrics", "/openapi.json"}) CHECK(client.get(target).status == 200);
  }
}

TEST_CASE("AuditFlags.ListShowsWhatTheEndpointGives") {
  const KeyedServer keyed;
  HttpClient client(keyed.server.port());
  const std::string ada = keyed.key("writer", "ada"), svc = keyed.key("service", "svc"),
                    eve = keyed.key("auditor", "eve");
  const Headers auditor = KeyedServer::bearer(eve);
  const auto post = [&](const std::string& key, const std::string& event) {
    return client.post("/v1/events", event, "application/json", KeyedServer::bearer(key));
  };
  const HttpResponse first = post(ada, event_json("mission/1", "Begun", "{}", R"(,"correlationId":"flight")"));
  REQUIRE(first.status == 201);
  for (int i = 0; i < 3; ++i) {
    CHECK(post(svc, event_json("mission/2", "Gone", "{}", R"(,"userId":"grace")")).status == 201);
  }
  CHECK(post(ada, "{}").status == 422);
  CHECK(client.get("/v1/events?aggregateId=mission%2F1", KeyedServer::bearer(ada)).status == 200);
  CHECK(client.get("/v1/events").status == 401);
  for (const char* const search : {"?action=events.query&outcome=done", "?action=event.append&outcome=refused",
                                   "?action=auth.denied", "?action=access.keys-changed"}) {
    REQUIRE(eventually([&] { return !trail_lines(client, search, auditor).empty(); }));
  }
  const HttpResponse last = post(ada, event_json("end"));
  REQUIRE(last.status == 201);
  const std::string end = Json(last.body).text("/timestamp"), begin = Json(first.body).text("/timestamp");

  using Flags = std::vector<std::string>;
  struct Listing {
    Flags flags;
    std::string query;
    std::size_t least;
  };
  const std::vector<Listing> listings = {
      {{}, "", 8},
      {{"--user", "grace"}, "&userId=grace", 3},
      {{"--user", "ada"}, "&userId=ada", 3},
      {{"--principal", "svc"}, "&principal=svc", 3},
      {{"--action", "event.append"}, "&action=event.append", 5},
      {{"--resource", "aggregate:mission/2"}, "&resource=aggregate%3Amission%2F2", 3},
      {{"--outcome", "refused"}, "&outcome=refused", 2},
      {{"--outcome", "done"}, "&outcome=done", 5},
      {{"--outcome", "failed"}, "&outcome=failed", 0},
      {{"--correlation-id", "flight"}, "&correlationId=flight", 1},
      {{"--from", begin}, "&from=" + percent(begin), 5},
      {{"--order", "desc"}, "&order=desc", 8},
      {{"--order", "asc"}, "&order=asc", 8},
      {{"--user", "ada", "--action", "event.append", "--outcome", "refused", "--order", "desc"},
       "&userId=ada&action=event.append&outcome=refused&order=desc",
       1},
  };
  const auto list = [&](Flags flags) {
    flags.insert(flags.begin(), {"audit", "list", "--url", keyed.server.url(), "--to", end});
    const ProcessResult listed = run_stele(flags, {}, {{"STELE_TOKEN", eve}});
    REQUIRE_MESSAGE(listed.exit_code == 0, listed.err);
    return lines_in(listed.out);
  };
  for (const Listing& listing : listings) {
    CAPTURE(listing.query);
    const auto wanted = trail_lines(client, "?to=" + percent(end) + listing.query, auditor);
    REQUIRE(wanted.size() >= listing.least);
    Flags json = listing.flags;
    json.emplace_back("--json");
    CHECK((list(json) == wanted));
    json.insert(json.end(), {"--limit", "2"});
    const auto two = list(json);
    CHECK(two.size() == std::min<std::size_t>(wanted.size(), 2));
    CHECK(std::equal(two.begin(), two.end(), wanted.begin()));
    // The table has a heading, and then a row for each.
    const auto rows = list(listing.flags);
    REQUIRE(rows.size() == (wanted.empty() ? 0 : wanted.size() + 1));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Json record(wanted[i]);
      CHECK(contains(rows[i + 1], std::to_string(record.number("/position"))));
      CHECK(contains(rows[i + 1], record.text("/outcome")));
      if (!record.is_null("/userId")) CHECK(contains(rows[i + 1], record.text("/userId")));
      if (!record.is_null("/resource")) CHECK(contains(rows[i + 1], record.text("/resource")));
    }
  }
  // Without `--to` the end is among them.
  const ProcessResult all =
      run_stele({"audit", "list", "--url", keyed.server.url(), "--json", "--resource", "aggregate:end"}, {},
                {{"STELE_TOKEN", eve}});
  CHECK(lines_in(all.out).size() == 1);
  const ProcessResult denied = run_stele({"audit", "list", "--url", keyed.server.url()}, {}, {{"STELE_TOKEN", ada}});
  CHECK(denied.exit_code == 1);
  CHECK(contains(denied.err, "403"));
}

TEST_CASE("Audit.KeysThatAreMadeAndRevokedBesideAServerAreRecorded") {
  const KeyedServer keyed;
  HttpClient client(keyed.server.port());
  const Headers auditor = KeyedServer::bearer(keyed.key("auditor", "eve"));
  const std::string secret = keyed.key("writer", "ada");
  const auto changes = [&] { return trail_lines(client, "?action=access.keys-changed", auditor); };
  const auto of_ada = [&](const std::string& list) {
    std::vector<Json> found;
    for (const std::string& record : changes()) {
      for (const Json& key : Json(record).list("/details/" + list)) {
        const Json shown = list == "changed" ? key.at("/after") : key;
        if (shown.text("/name") == "ada") found.push_back(shown);
      }
    }
    return found;
  };
  REQUIRE(eventually([&] { return of_ada("added").size() == 1; }));
  const std::string id = of_ada("added")[0].text("/id");
  CHECK(of_ada("added")[0].text("/role") == "writer");
  CHECK(of_ada("changed").empty());
  CHECK(keyed.token({"revoke", id}).exit_code == 0);
  REQUIRE(eventually([&] { return of_ada("changed").size() == 1; }));
  CHECK(of_ada("changed")[0].text("/id") == id);
  CHECK(is_timestamp(of_ada("changed")[0].text("/revoked")));
  for (const std::string& record : trail_lines(client, "", auditor)) {
    CHECK(!contains(record, secret));
    CHECK(!contains(record, "\"hash\""));
  }
}

TEST_CASE("Audit.WhatIsOpenedAgainOnDemandIsRecorded") {
  const test::TempFolder folder;
  const std::string logs = folder.file("logs");
  std::filesystem::create_directory(logs);
  Api api({"--access-log", logs + "/access.log"});
  HttpClient client = api.client();
  const auto reloads = [&](const std::string& outcome) {
    return trail_lines(client, "?action=server.reload&resource=server%3Aaccess-log&outcome=" + outcome);
  };
  api.server().process().signal(SIGHUP);
  REQUIRE(eventually([&] { return reloads("done").size() == 1; }));
  CHECK(reloads("failed").empty());
  std::filesystem::remove(logs + "/access.log");
  std::filesystem::create_directory(logs + "/access.log");
  api.server().process().signal(SIGHUP);
  REQUIRE(eventually([&] { return reloads("failed").size() == 1; }));
  CHECK(!Json(reloads("failed")[0]).text("/details/error").empty());
  CHECK(!contains(reloads("failed")[0], logs));
  CHECK(reloads("done").size() == 1);
}

}  // namespace stele::tests
