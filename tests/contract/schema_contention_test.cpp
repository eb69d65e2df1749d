// A schema is registered for a type that is as busy as it can be.

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/eventually.h"

namespace stele::tests {

namespace {

constexpr std::uint64_t kAppenders = 6;
constexpr std::uint64_t kStoredBefore = 40'000;
constexpr std::string_view kFirst =
    R"({"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":1}}}})";

/// What threads have seen: doctest's checks are not for them.
struct Seen {
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::map<std::string, int> others;  ///< answers that are neither 201 nor a schema's refusal
  std::uint64_t refused = 0;

  void add(const HttpResponse& response) {
    const std::lock_guard lock(mutex);
    if (response.status == 201) {
      acknowledged.insert(Json(response.body).text("/eventId"));
    } else if (response.status == 422 && response.body.find("schema-violation") != std::string::npos) {
      ++refused;
    } else {
      ++others[std::to_string(response.status) + " " + response.body + response.error];
    }
  }
  [[nodiscard]] bool is_enough() {
    const std::lock_guard lock(mutex);
    return refused > 0 || !others.empty();
  }
};

void store_before(HttpClient& client) {
  for (std::uint64_t i = 0; i < kStoredBefore / 10'000; ++i) {
    std::string list = "[";
    for (int j = 0; j < 10'000; ++j) list += (j == 0 ? "" : ",") + event_json("before", "Burned", R"({"n":7})");
    REQUIRE(client.post("/v1/events", list + "]").status == 201);
  }
}

/// Registers while threads append what is right, and what is wrong as soon as `version` is a candidate or registered:
/// before, it is right.
HttpResponse register_amid_appends(const Api& api, std::string_view body, std::uint64_t version, Seen& seen) {
  std::atomic<bool> is_wrong{false};
  std::atomic<bool> ended{false};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    HttpClient client = api.client();
    while (!ended && !is_wrong) {
      const HttpResponse shown = client.get("/v1/schemas/Burned");
      if (shown.status != 200) continue;
      const Json schemas(shown.body);
      is_wrong = schemas.has("/candidate") || (!schemas.is_null("/version") && schemas.number("/version") == version);
    }
  });
  for (std::uint64_t i = 0; i < kAppenders; ++i) {
    threads.emplace_back([&, i] {
      HttpClient client = api.client();
      const std::string number = std::to_string(i);
      while (!ended) {
        seen.add(client.post("/v1/events", event_json("good" + number, "Burned", R"({"n":1})", R"(,"version":1)")));
        if (!is_wrong) continue;
        seen.add(client.post("/v1/events", event_json("bad" + number, "Burned", R"({"n":0})", R"(,"version":1)")));
      }
    });
  }
  HttpClient client = api.client();
  HttpResponse registered = client.post("/v1/schemas/Burned", body);
  wait_until([&] { return version != 1 || seen.is_enough(); });
  ended = true;
  for (std::thread& thread : threads) thread.join();
  for (const auto& [answer, count] : seen.others) FAIL_CHECK(count << " times " << answer);
  return registered;
}

/// All of the type, as they were stored, one a line.
std::vector<Json> stored_events(HttpClient& client) {
  const HttpResponse lines =
      client.get("/v1/events?eventType=Burned&schemaVersion=stored", {{"Accept", "application/x-ndjson"}});
  std::vector<Json> events;
  std::size_t from = 0;
  for (std::size_t end = 0; (end = lines.body.find('\n', from)) != std::string::npos; from = end + 1) {
    events.emplace_back(lines.body.substr(from, end - from));
  }
  return events;
}

}  // namespace

TEST_CASE("SchemaContention.NothingSlipsPastAFirstSchemaAndNothingIsLost") {
  Api api;
  HttpClient client = api.client();
  store_before(client);
  Seen seen;
  const HttpResponse registered = register_amid_appends(api, kFirst, 1, seen);
  CHECK(registered.status == 201);
  CHECK(registered.body == R"({"eventType":"Burned","version":1,"ignoredKeywords":[]})");
  CHECK(seen.refused > 0);

  const Json checked(client.post("/v1/schemas/Burned/check", kFirst).body);
  CHECK(checked.number("/failed") == 0);
  CHECK(checked.number("/checked") == kStoredBefore + seen.acknowledged.size());
  for (const Json& event : stored_events(client)) seen.acknowledged.erase(event.text("/eventId"));
  CHECK(seen.acknowledged.empty());
}

TEST_CASE("SchemaContention.WhatIsStoredBeforeAVersionSatisfiesItOnceItIsUpcast") {
  Api api;
  HttpClient client = api.client();
  store_before(client);
  REQUIRE(client.post("/v1/schemas/Burned", R"({"schema":{"required":["n"]}})").status == 201);
  Seen seen;
  const HttpResponse registered =
      register_amid_appends(api,
                            R"({"schema":{"required":["count"],"properties":{"count":{"minimum":1}}},)"
                            R"("upcaster":{"from":1,"operations":[{"op":"rename","path":"/n","to":"count"}]}})",
                            2, seen);
  CHECK(registered.status == 201);
  // Behind it version 1 may be written as ever.
  const std::uint64_t position = get_json(client, "/v1/schemas/Burned/versions/2").number("/position");
  std::uint64_t before = 0;
  for (const Json& event : stored_events(client)) {
    seen.acknowledged.erase(event.text("/eventId"));
    if (event.number("/position") > position) continue;
    ++before;
    CHECK(event.number("/data/n") >= 1);
  }
  CHECK(before >= kStoredBefore);
  CHECK(seen.acknowledged.empty());
}

}  // namespace stele::tests
