// Every event is delivered at least once and in the order of its aggregate, through failures of the receiver and
// kill -9 of the store: 10,000 events of 100 aggregates. STELE_KILL_ROUNDS sets how often it is killed.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/environment.h"
#include "tests/support/eventually.h"

namespace stele::tests {

namespace {

constexpr int kEventsInAll = 10'000;  ///< about
constexpr int kAggregates = 100;

/// The store is killed after every third.
int lists() { return 3 * static_cast<int>(test::number_from("STELE_KILL_ROUNDS", 6)) + 2; }

int events_a_list() { return std::max(1, kEventsInAll / lists()); }
int all_events() { return lists() * events_a_list(); }

/// Which events each id was used for.
class Sets {
 public:
  void take(const std::string& id, const std::vector<Json>& events) {
    std::set<std::string> set;
    for (const Json& event : events) set.insert(event.text("/eventId"));
    const std::lock_guard lock(mutex_);
    const auto [known, is_new] = sets_.emplace(id, set);
    if (!is_new && known->second != set) ++changed_;
    if (!is_new) ++again_;
  }
  [[nodiscard]] int changed() const { return locked(changed_); }
  [[nodiscard]] int again() const { return locked(again_); }

 private:
  [[nodiscard]] int locked(const int& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }
  mutable std::mutex mutex_;
  std::map<std::string, std::set<std::string>> sets_;
  int changed_ = 0, again_ = 0;
};

/// What a consumer has done with events.
class Done {
 public:
  /// Events that were done already count as repeats.
  void take(const Json& event) {
    const std::string aggregate = event.text("/aggregateId");
    const std::uint64_t sequence = event.number("/sequenceNumber");
    const std::lock_guard lock(mutex_);
    std::uint64_t& last = last_[aggregate];
    if (sequence <= last) {
      ++repeats_;
    } else if (sequence == last + 1) {
      last = sequence;
      ++events_;
    } else {
      ++out_of_order_;
    }
  }
  [[nodiscard]] int events() const { return locked(events_); }
  [[nodiscard]] int repeats() const { return locked(repeats_); }
  [[nodiscard]] int out_of_order() const { return locked(out_of_order_); }

 private:
  [[nodiscard]] int locked(const int& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> last_;
  int events_ = 0, repeats_ = 0, out_of_order_ = 0;
};

std::string subscribe_as(HttpClient& client, const std::string& delivery) {
  const HttpResponse made =
      client.post("/v1/events/subscribe", R"({"eventTypes":["Counted"],"delivery":)" + delivery +
                                              R"(,"retry":{"maxAttempts":50,"initialDelayMs":100,"maxDelayMs":200}})");
  REQUIRE_MESSAGE(made.status == 201, made.body);
  return Json(made.body).text("/subscriptionId");
}

std::string webhook_id(const std::string& request) {
  const std::string field = "\r\nwebhook-id: ";
  const std::size_t at = request.find(field);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + field.size();
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

/// Appends all of them, and kills the server now and then.
void append_through_kills(Api& api, std::mt19937& random) {
  for (int list = 0; list < lists(); ++list) {
    std::string body = "[";
    for (int i = 0; i < events_a_list(); ++i) {
      if (i > 0) body += ',';
      body += event_json("counted/" + std::to_string(random() % kAggregates), "Counted");
    }
    HttpClient client = api.client();
    const HttpResponse appended = client.post("/v1/events", body + "]");
    REQUIRE_MESSAGE(appended.status == 201, appended.body);
    if (list % 3 == 2) api.kill_and_restart();
  }
}

/// Until nothing is left to be delivered. The watermark passes what is held back, so that to wait for it is not enough.
Json wait_until_done(Api& api, const std::string& id) {
  HttpClient client = api.client();
  HttpResponse answer;
  const bool is_done = eventually(
      [&] {
        const std::uint64_t end = get_json(client, "/v1/events?order=desc&limit=1").number("/events/0/position") + 1;
        answer = client.get("/v1/subscriptions/" + id + "?ackedPosition=" + std::to_string(end - 1) + "&wait=3s");
        REQUIRE_MESSAGE(answer.status == 200, answer.body);
        const Json status(answer.body);
        return status.number("/watermark/position") + 1 >= end && status.number("/heldBack") == 0 &&
               status.number("/inFlight") == 0;
      },
      std::chrono::seconds(200));
  REQUIRE_MESSAGE(is_done, answer.body);
  return Json(answer.body);
}

}  // namespace

TEST_CASE("SubscriptionKill.AWebhookGetsEveryEventInOrder") {
  std::mt19937 random(1);
  Done done;
  Sets sets;
  std::mutex mutex;
  std::mt19937 failures(2);
  const auto fails = [&] {
    const std::lock_guard lock(mutex);
    return failures() % 12 == 0;
  };
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    for (std::string request = peer.read_request(); !request.empty(); request = peer.read_request()) {
      const Json body(request.substr(request.find("\r\n\r\n") + 4));
      sets.take(webhook_id(request), body.list("/events"));
      if (fails()) {
        if (!peer.answer(500)) return;
        continue;
      }
      for (const Json& event : body.list("/events")) done.take(event);
      // Sometimes the answer is lost.
      if (fails()) return peer.reset();
      if (!peer.answer(200)) return;
    }
  });
  Api api({"--allow-callback-net", "127.0.0.1/32"});
  HttpClient client = api.client();
  const std::string id = subscribe_as(client, R"({"type":"webhook","url":")" + receiver.url() + R"(","batchSize":10})");
  append_through_kills(api, random);
  const Json status = wait_until_done(api, id);
  CHECK(done.events() == all_events());
  CHECK(done.out_of_order() == 0);
  CHECK(status.number("/deadLetters") == 0);
  CHECK(sets.again() > 0);
  CHECK(sets.changed() == 0);
  MESSAGE("sent " << receiver.requests.load() << " requests, delivered " << done.events() << ", repeated "
                  << done.repeats() << ", out of order " << done.out_of_order() << ", sets sent again "
                  << sets.again());
}

TEST_CASE("SubscriptionKill.ConsumersPullEveryEventInOrder") {
  std::mt19937 random(3);
  Done done;
  Api api;
  std::string id;
  {
    HttpClient client = api.client();
    id = subscribe_as(client, R"({"type":"pull"})");
  }
  const std::string path = "/v1/subscriptions/" + id;
  std::atomic<bool> over{false};
  struct Consumers {
    explicit Consumers(std::atomic<bool>& to_set) : over(to_set) {}
    ~Consumers() {
      over = true;
      for (std::thread& thread : threads) thread.join();
    }
    std::atomic<bool>& over;
    std::vector<std::thread> threads{};
  };
  const int port = api.port();
  const auto consume = [&](unsigned seed) {
    std::mt19937 chance(seed);
    HttpClient client(port);
    while (!over) {
      const HttpResponse pulled = client.post(path + "/pull", R"({"limit":20,"wait":"1s","lease":"2s"})");
      if (pulled.status != 200) continue;  // the server is being started again
      const Json batch(pulled.body);
      const std::vector<Json> events = batch.list("/events");
      if (events.empty()) continue;
      const std::string lease = R"({"leaseId":")" + batch.text("/leaseId") + '"';
      const auto what = chance() % 20;
      if (what == 0) continue;  // it has crashed
      // What it does not get to goes back.
      const std::size_t kept = what == 1 ? events.size() / 2 : events.size();
      std::string ids;
      for (std::size_t i = 0; i < kept; ++i) {
        done.take(events[i]);
        ids += (ids.empty() ? "\"" : ",\"") + events[i].text("/eventId") + '"';
      }
      if (kept > 0) (void)client.post(path + "/ack", lease + R"(,"eventIds":[)" + ids + "]}");
      if (kept < events.size()) (void)client.post(path + "/nack", lease + R"(,"delay":"100ms"})");
    }
  };
  std::optional<Consumers> consumers;
  consumers.emplace(over);
  for (unsigned seed = 1; seed <= 3; ++seed) consumers->threads.emplace_back(consume, seed);
  append_through_kills(api, random);
  const Json status = wait_until_done(api, id);
  consumers.reset();
  CHECK(done.events() == all_events());
  CHECK(done.out_of_order() == 0);
  CHECK(status.number("/deadLetters") == 0);
  MESSAGE("delivered " << done.events() << ", repeated " << done.repeats() << ", out of order " << done.out_of_order());
}

TEST_CASE("SubscriptionKill.AReceiverThatHangsHoldsUpNoOther") {
  WebhookReceiver hanging([&](WebhookReceiver::Peer& peer) {
    (void)peer.read_request();
    peer.wait_for_end();
  });
  WebhookReceiver good(answering(204));
  Api api({"--allow-callback-net", "127.0.0.1/32"});
  HttpClient client = api.client();
  const std::string bad =
      subscribe_as(client, R"({"type":"webhook","url":")" + hanging.url() + R"(","timeoutMs":60000})");
  const std::string id = subscribe_as(client, R"({"type":"webhook","url":")" + good.url() + R"("})");
  for (int i = 0; i < 100; ++i) append(client, event_json("m/" + std::to_string(i), "Counted"));
  const Json status = wait_until_done(api, id);
  CHECK(good.requests == 100);
  CHECK(get_json(client, "/v1/subscriptions/" + bad).number("/delivered") == 0);
  CHECK(eventually([&] { return get_json(client, "/v1/subscriptions/" + bad).number("/inFlight") == 16; }));
}

}  // namespace stele::tests
