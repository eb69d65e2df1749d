// As many subscriptions as there may be, all of them at work.

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/eventually.h"

namespace stele::tests {

namespace {

constexpr int kManySubscriptions = 1'000;
constexpr int kEventsOfEach = 3;

/// By several clients at once.
void for_each_of_many(const Api& api, const std::function<void(HttpClient&, int)>& what) {
  constexpr int clients = 8;
  std::vector<std::thread> threads;
  for (int first = 0; first < clients; ++first) {
    threads.emplace_back([&, first] {
      HttpClient client = api.client();
      for (int i = first; i < kManySubscriptions; i += clients) what(client, i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("ManySubscriptions.EachGetsItsOwn") {
  std::mutex mutex;
  std::map<std::string, std::vector<std::string>> got;  // of each path, what came: type and sequence number
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    for (std::string request = peer.read_request(); !request.empty(); request = peer.read_request()) {
      const std::string path = request.substr(5, request.find(' ', 5) - 5);
      const Json body(request.substr(request.find("\r\n\r\n") + 4));
      {
        const std::lock_guard lock(mutex);
        for (const Json& event : body.list("/events")) {
          got[path].push_back(event.text("/eventType") + " " + std::to_string(event.number("/sequenceNumber")));
        }
      }
      if (!peer.answer(204)) return;
    }
  });
  Api api({"--allow-callback-net", "127.0.0.1/32"});
  std::atomic<int> refused{0};
  for_each_of_many(api, [&](HttpClient& client, int i) {
    const std::string number = std::to_string(i);
    refused += client
                   .post("/v1/events/subscribe", R"({"eventType":"Of)" + number + R"(","callbackUrl":")" +
                                                     receiver.url("127.0.0.1", "/of/" + number) + "\"}")
                   .status != 201;
  });
  REQUIRE(refused == 0);
  HttpClient client = api.client();
  check_problem(client.post("/v1/events/subscribe", R"({"delivery":{"type":"pull"}})"), 422, "too-many-subscriptions");
  for (int round = 0; round < kEventsOfEach; ++round) {
    std::string list = "[";
    for (int i = 0; i < kManySubscriptions; ++i) {
      const std::string number = std::to_string(i);
      list += (i == 0 ? "" : ",") + event_json("one/" + number, "Of" + number);
    }
    append(client, list + "]");
  }
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    std::size_t events = 0;
    for (const auto& [path, its] : got) events += its.size();
    return events >= static_cast<std::size_t>(kManySubscriptions) * kEventsOfEach;
  }));
  const std::lock_guard lock(mutex);
  CHECK(got.size() == kManySubscriptions);
  int wrong = 0;
  for (const auto& [path, its] : got) {
    const std::string type = "Of" + path.substr(4) + " ";
    wrong += its != std::vector<std::string>{type + "1", type + "2", type + "3"};
  }
  CHECK(wrong == 0);
}

}  // namespace stele::tests
