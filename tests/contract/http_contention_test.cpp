// Many connections at once on one aggregate.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/http_fixture.h"

namespace stele::tests {
namespace {

constexpr int kConnections = 32;

/// Runs `work(connection, client)` on a thread for each connection. Checks belong behind it: doctest's are not for
/// threads.
template <class Work>
void on_all_connections(const Api& api, Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kConnections; ++i) {
    threads.emplace_back([&api, &work, i] {
      HttpClient client = api.client();
      work(i, client);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("Contention.AppendsToOneAggregateGetContiguousNumbers") {
  Api& api = shared_api();
  const std::string aggregate = fresh("contended");
  constexpr int each = 25;
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, std::string>> receipts;
  std::vector<std::string> failures;
  on_all_connections(api, [&](int connection, HttpClient& client) {
    for (int i = 0; i < each; ++i) {
      const HttpResponse response =
          client.post("/v1/events", event_json(aggregate, "T", std::to_string(connection * 1000 + i)));
      const std::lock_guard lock(mutex);
      if (response.status != 201) {
        failures.push_back(std::to_string(response.status) + " " + response.body + response.error);
        continue;
      }
      const Json receipt(response.body);
      receipts.emplace_back(receipt.number("/sequenceNumber"), receipt.text("/eventId"));
    }
  });
  for (const std::string& failure : failures) FAIL_CHECK(failure);
  std::sort(receipts.begin(), receipts.end());
  REQUIRE(receipts.size() == kConnections * each);
  for (std::size_t i = 0; i < receipts.size(); ++i) CHECK(receipts[i].first == i + 1);

  // What is stored is what the receipts said, and each connection's events are in the order it sent them.
  HttpClient client = api.client();
  const std::vector<Json> stored = get_json(client, "/v1/events?limit=1000&aggregateId=" + aggregate).list("/events");
  REQUIRE(stored.size() == receipts.size());
  std::map<std::uint64_t, std::uint64_t> last_of_connection;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    CHECK(stored[i].number("/sequenceNumber") == i + 1);
    CHECK(stored[i].text("/eventId") == receipts[i].second);
    const std::uint64_t sent = stored[i].number("/data");
    const auto [last, first_seen] = last_of_connection.try_emplace(sent / 1000, sent);
    if (!first_seen) {
      CHECK(last->second < sent);
      last->second = sent;
    }
  }
}

TEST_CASE("Contention.EachExpectedNumberHasExactlyOneWinner") {
  Api& api = shared_api();
  const std::string aggregate = fresh("raced");
  constexpr std::uint64_t numbers = 20;
  std::mutex mutex;
  std::map<std::uint64_t, int> winners;
  std::vector<std::string> failures;
  on_all_connections(api, [&](int connection, HttpClient& client) {
    for (std::uint64_t number = 1; number <= numbers; ++number) {
      const HttpResponse response = client.post(
          "/v1/events",
          event_json(aggregate, "T", std::to_string(connection), R"(,"sequenceNumber":)" + std::to_string(number)));
      const std::lock_guard lock(mutex);
      if (response.status == 201) {
        ++winners[Json(response.body).number("/sequenceNumber")];
      } else if (response.status == 409) {
        // Whoever lost sees a number that was taken: nobody may be turned away from a free one.
        if (Json(response.body).number("/currentSequenceNumber") < number) failures.push_back(response.body);
      } else {
        failures.push_back(std::to_string(response.status) + " " + response.body + response.error);
      }
    }
  });
  for (const std::string& failure : failures) FAIL_CHECK(failure);
  CHECK(winners.size() == numbers);
  for (const auto& [number, count] : winners) {
    CHECK(number <= numbers);
    CHECK(count == 1);
  }
  HttpClient client = api.client();
  CHECK(get_json(client, "/v1/aggregates/" + aggregate).number("/sequenceNumber") == numbers);
}

TEST_CASE("Contention.TheSameEventFromManyConnectionsIsStoredOnce") {
  Api& api = shared_api();
  const std::string aggregate = fresh("same");
  const std::string body = event_json(aggregate, "T", "{}", R"(,"eventId":")" + fresh_uuid() + "\"");
  std::mutex mutex;
  int created = 0;
  std::set<std::string> receipts;
  std::vector<std::string> failures;
  on_all_connections(api, [&](int, HttpClient& client) {
    const HttpResponse response = client.post("/v1/events", body);
    const std::lock_guard lock(mutex);
    if (response.status == 201) ++created;
    if (response.status != 201 && response.status != 200) {
      failures.push_back(std::to_string(response.status) + " " + response.body + response.error);
    } else {
      receipts.insert(Json(response.body).minified());
    }
  });
  for (const std::string& failure : failures) FAIL_CHECK(failure);
  CHECK(created == 1);
  CHECK(receipts.size() == 1);
  HttpClient client = api.client();
  CHECK(get_json(client, "/v1/aggregates/" + aggregate).number("/count") == 1);
}

TEST_CASE("Contention.AConditionLetsExactlyOneDecisionThrough") {
  Api& api = shared_api();
  const std::string type = fresh("SeatTaken");
  std::mutex mutex;
  int won = 0;
  int lost = 0;
  on_all_connections(api, [&](int connection, HttpClient& client) {
    const HttpResponse response =
        client.post("/v1/events", R"({"events":[)" + event_json(type + std::to_string(connection), type) +
                                      R"(],"condition":{"failIfEventsMatch":[{"eventTypes":[")" + type + R"("]}]}})");
    const std::lock_guard lock(mutex);
    if (response.status == 201) ++won;
    if (response.status == 409 && !Json(response.body).list("/conflictingEvents").empty()) ++lost;
  });
  CHECK(won == 1);
  CHECK(lost == kConnections - 1);
}

TEST_CASE("Contention.ListsOverSeveralAggregatesStayWhole") {
  Api& api = shared_api();
  const std::vector<std::string> aggregates{fresh("whole"), fresh("whole"), fresh("whole")};
  std::mutex mutex;
  std::vector<std::string> failures;
  on_all_connections(api, [&](int connection, HttpClient& client) {
    for (int i = 0; i < 5; ++i) {
      std::string list = "[";
      // Each connection names the aggregates in another order.
      for (std::size_t k = 0; k < 3; ++k) {
        list += event_json(aggregates[(k + static_cast<std::size_t>(connection)) % 3], "T",
                           std::to_string(connection * 100 + i)) +
                ",";
      }
      list.back() = ']';
      const HttpResponse response = client.post("/v1/events", list);
      const std::lock_guard lock(mutex);
      if (response.status != 201) failures.push_back(response.body + response.error);
    }
  });
  for (const std::string& failure : failures) FAIL_CHECK(failure);
  HttpClient client = api.client();
  std::vector<std::string> orders;
  for (const std::string& aggregate : aggregates) {
    const Json page = get_json(client, "/v1/events?limit=1000&aggregateId=" + aggregate);
    std::string order;
    for (const Json& event : page.list("/events")) order += event.at("/data").minified() + " ";
    CHECK(page.list("/events").size() == kConnections * 5);
    orders.push_back(order);
  }
  CHECK(orders[0] == orders[1]);
  CHECK(orders[1] == orders[2]);
}

}  // namespace stele::tests
