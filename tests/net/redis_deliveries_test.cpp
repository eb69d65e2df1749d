// Deliveries to a real Redis, and to servers that say what none would.

#include "net/redis/redis_deliveries.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "api/subscriptions/redis_sink.h"
#include "net/redis/redis_url.h"
#include "tests/net/fake_redis.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/sample_parcel.h"

using namespace stele;
using namespace stele::net;
using stele::test::sample_batch;
using stele::test::sample_parcel;
using stele::tests::eventually;
using stele::tests::FakeRedis;
using stele::tests::RedisServer;
using stele::tests::RunningClient;

namespace {

RedisUrl url_of(const std::string& text) { return std::get<RedisUrl>(parse_redis_url(text)); }

RedisClientOptions patient() {
  RedisClientOptions options = RedisDeliveries::client_options();
  options.retry_first = options.retry_last = std::chrono::milliseconds{5};
  return options;
}

/// An attempt that may end at any time, on any thread.
class Attempt {
 public:
  Attempt(api::DeliverySink& sink, api::DeliveryBatchToSend batch) {
    sink.attempt(std::move(batch), [state = state_](api::AttemptOutcome outcome) {
      const std::lock_guard lock(state->mutex);
      state->outcomes.push_back(std::move(outcome));
      state->ended.notify_one();
    });
  }
  [[nodiscard]] api::AttemptOutcome outcome() const {
    std::unique_lock lock(state_->mutex);
    REQUIRE(state_->ended.wait_for(lock, std::chrono::minutes(1), [&] { return !state_->outcomes.empty(); }));
    return state_->outcomes.front();
  }
  [[nodiscard]] std::size_t outcomes() const {
    const std::lock_guard lock(state_->mutex);
    return state_->outcomes.size();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable ended;
    std::vector<api::AttemptOutcome> outcomes;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// A client, and what delivers by it to one stream.
class StreamDeliveries {
 public:
  explicit StreamDeliveries(const RedisUrl& url, const RedisClientOptions& options = patient())
      : client_(url, options), sender_(std::in_place, client_.context(), *client_), sink_(*sender_, "events") {}
  ~StreamDeliveries() { end(); }
  void end() {
    client_.stop();
    sender_.reset();
    client_.end();
  }
  [[nodiscard]] api::DeliverySink& sink() { return sink_; }
  [[nodiscard]] api::RedisSender& sender() { return *sender_; }
  [[nodiscard]] RedisClient& client() { return *client_; }

  /// Once there is a connection.
  api::AttemptOutcome attempt(const api::DeliveryBatchToSend& batch) {
    REQUIRE(eventually([&] { return client_->connected(); }));
    return Attempt(sink_, batch).outcome();
  }
  /// Large batches, a hundred and until so many attempts were in vain. What was delivered.
  std::vector<std::uint64_t> deliver_until_failed(int failures_min) {
    std::minstd_rand random{7};
    std::vector<std::uint64_t> delivered;
    std::uint64_t position = 0;
    for (int batches = 0, failures = 0; batches < 100 || failures < failures_min; ++batches) {
      api::DeliveryBatchToSend batch{"sub_1_1", {}};
      for (std::size_t count = 1 + random() % 50; count > 0; --count) {
        position += 1 + random() % 3;
        delivered.push_back(position);
        batch.parcels.push_back(sample_parcel(position, "\"" + std::string(random() % 20'000, 'x') + "\""));
      }
      failures += deliver(batch);
    }
    return delivered;
  }
  /// Again and again, as long as it says that this may help. How often it was in vain.
  int deliver(const api::DeliveryBatchToSend& batch) {
    for (int failures = 0;; ++failures) {
      const api::AttemptOutcome outcome = Attempt(sink_, batch).outcome();
      if (outcome.delivered) return failures;
      REQUIRE_MESSAGE(outcome.failure.kind == DeliveryFailure::Kind::Retry, outcome.failure.error << outcome.detail);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

 private:
  RunningClient client_;
  std::optional<RedisDeliveries> sender_;
  api::RedisStreamSink sink_;
};

/// Ids of all entries, in the order of the stream.
std::vector<std::uint64_t> positions_in(const RedisServer& redis) {
  std::istringstream lines(redis.ask({"XRANGE", "events", "-", "+"}));
  std::vector<std::uint64_t> positions;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with("-0") && line.find_first_not_of("0123456789-") == std::string::npos) {
      positions.push_back(std::stoull(line));
    }
  }
  return positions;
}

using Positions = std::vector<std::uint64_t>;

void check_failure(const api::AttemptOutcome& outcome, DeliveryFailure::Kind kind, const std::string& error,
                   bool is_outage) {
  CAPTURE(outcome.detail);
  CHECK_FALSE(outcome.delivered);
  CHECK(outcome.failure.kind == kind);
  CHECK_EQ(outcome.failure.error, error);
  CHECK_EQ(outcome.is_outage, is_outage);
  CHECK_FALSE(outcome.detail.empty());
}

}  // namespace

TEST_CASE("RedisDeliveries.AStreamHoldsTheEventsInOrderAndOnce") {
  RedisServer redis;
  StreamDeliveries stele(url_of(redis.url()));
  CHECK(stele.attempt(sample_batch({1, 2, 5})).delivered);
  CHECK(stele.attempt({"sub_1_9", {sample_parcel(9, R"("ä \u0000")", true)}}).delivered);
  CHECK_EQ(redis.ask({"XRANGE", "events", "9", "9"}),
           "9-0\neventId\n00000000-0000-0000-0000-000000000009\neventType\nMoved\naggregateId\nm/0\nevent\n"
           R"({"eventId":"00000000-0000-0000-0000-000000000009","eventType":"Moved","aggregateId":"m/0",)"
           R"("sequenceNumber":9,"position":9,"timestamp":"1970-01-01T00:00:00.000000Z","version":1,)"
           R"("data":"ä \u0000","replay":true})");
  // Nobody has heard that it was delivered.
  CHECK(stele.attempt(sample_batch({9})).delivered);
  CHECK(stele.attempt(sample_batch({11, 12, 13})).delivered);
  CHECK(stele.attempt(sample_batch({11, 12, 13})).delivered);
  CHECK(positions_in(redis) == Positions{1, 2, 5, 9, 11, 12, 13});
  // In other batches, as when the journal of deliveries was lost.
  CHECK(stele.attempt(sample_batch({1, 2})).delivered);
  CHECK(stele.attempt(sample_batch({5, 9, 11})).delivered);
  CHECK(stele.attempt(sample_batch({12, 13, 14, 15})).delivered);
  CHECK(positions_in(redis) == Positions{1, 2, 5, 9, 11, 12, 13, 14, 15});
  // Whoever reads it may take entries away.
  REQUIRE_EQ(redis.ask({"XDEL", "events", "14-0"}), "1");
  CHECK(stele.attempt(sample_batch({12, 13, 14, 15})).delivered);
  REQUIRE_EQ(redis.ask({"XTRIM", "events", "MAXLEN", "0"}), "8");
  CHECK(stele.attempt(sample_batch({12, 13, 14, 15})).delivered);
  CHECK(stele.attempt(sample_batch({16})).delivered);
  CHECK(positions_in(redis) == Positions{16});
}

TEST_CASE("RedisDeliveries.ConnectionsThatAreLostAnywhereLoseAndDoubleNothing") {
  RedisServer redis;
  StreamDeliveries stele(url_of(redis.url()));
  std::jthread killer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) static_cast<void>(redis.ask({"CLIENT", "KILL", "TYPE", "normal"}));
  });
  const Positions expected = stele.deliver_until_failed(10);
  killer.request_stop();
  killer.join();
  CHECK(positions_in(redis) == expected);
}

TEST_CASE("RedisDeliveries.ARedisThatRefusesNowAndThenMissesNothing") {
  RedisServer redis;
  StreamDeliveries stele(url_of(redis.url()));
  RunningClient other(url_of(redis.url()));
  std::jthread filler([&](const std::stop_token& stop) {
    // Full, and not any more, as fast as it answers.
    for (bool is_full = true; !stop.stop_requested(); is_full = !is_full) {
      std::atomic<bool> done{false};
      const std::string command = redis_command({"CONFIG", "SET", "maxmemory", is_full ? "1" : "0"});
      if (!other->send(command, [&](const RedisReply*) { done = true; })) continue;
      (void)eventually([&] { return done.load(); });
    }
  });
  const Positions expected = stele.deliver_until_failed(10);
  filler.request_stop();
  filler.join();
  CHECK(positions_in(redis) == expected);
}

TEST_CASE("RedisDeliveries.WhatARedisThatHungDoesLaterDoublesNothing") {
  RedisServer redis;
  RedisClientOptions options = patient();
  options.answer_time = options.connect_time = std::chrono::seconds{2};
  StreamDeliveries stele(url_of(redis.url()), options);
  CHECK(stele.attempt(sample_batch({1})).delivered);
  redis.hang();
  check_failure(Attempt(stele.sink(), sample_batch({2, 3})).outcome(), DeliveryFailure::Kind::Retry, "no-answer", true);
  check_failure(Attempt(stele.sink(), sample_batch({2, 3})).outcome(), DeliveryFailure::Kind::Retry, "no-connection",
                true);
  redis.go_on();
  stele.deliver(sample_batch({2, 3}));
  stele.deliver(sample_batch({4}));
  CHECK(positions_in(redis) == Positions{1, 2, 3, 4});
}

TEST_CASE("RedisDeliveries.ARestartedRedisIsGivenWhatItDoesNotHave") {
  for (const bool keeps : {false, true}) {
    CAPTURE(keeps);
    RedisServer redis({"--appendonly", keeps ? "yes" : "no"});
    StreamDeliveries stele(url_of(redis.url()));
    CHECK(stele.attempt(sample_batch({1, 2, 3})).delivered);
    redis.kill();
    REQUIRE(eventually([&] { return !stele.client().connected(); }));
    const api::AttemptOutcome away = Attempt(stele.sink(), sample_batch({4, 5})).outcome();
    check_failure(away, DeliveryFailure::Kind::Retry, "no-connection", true);
    redis.start();
    // The first one as if nobody had heard of it.
    stele.deliver(sample_batch({1, 2, 3}));
    stele.deliver(sample_batch({4, 5}));
    CHECK(positions_in(redis) == Positions{1, 2, 3, 4, 5});
  }
}

TEST_CASE("RedisDeliveries.EntriesOfSomebodyElseStopAStream") {
  using Kind = DeliveryFailure::Kind;
  RedisServer redis;
  StreamDeliveries stele(url_of(redis.url()));
  const auto refused = [&](const api::DeliveryBatchToSend& batch) {
    check_failure(stele.attempt(batch), Kind::Stop, "foreign-entries", false);
  };
  CHECK(stele.attempt(sample_batch({1, 2})).delivered);
  // Behind all that comes, and gone again.
  const std::string id = redis.ask({"XADD", "events", "*", "a", "b"});
  refused(sample_batch({3, 4}));
  REQUIRE_EQ(redis.ask({"XDEL", "events", id}), "1");
  refused(sample_batch({3, 4}));
  CHECK(positions_in(redis) == Positions{1, 2});
  REQUIRE_EQ(redis.ask({"DEL", "events"}), "1");
  CHECK(stele.attempt(sample_batch({3, 4})).delivered);
  CHECK(positions_in(redis) == Positions{3, 4});

  // What it holds is delivered, whatever is behind it.
  CHECK(stele.attempt(sample_batch({3})).delivered);

  // Between the events of a batch.
  REQUIRE_EQ(redis.ask({"XADD", "events", "7-0", "a", "b"}), "7-0");
  refused(sample_batch({6, 9}));
  // In the place of one.
  REQUIRE_EQ(redis.ask({"XADD", "events", "12-0", "eventId", "00000000-0000-0000-0000-000000000013"}), "12-0");
  refused(sample_batch({12}));
  REQUIRE_EQ(redis.ask({"XADD", "events", "14-1", "a", "b"}), "14-1");
  refused(sample_batch({13, 14}));
  // Behind which there is no place.
  REQUIRE_EQ(redis.ask({"XADD", "events", "18446744073709551615-18446744073709551615", "a", "b"}),
             "18446744073709551615-18446744073709551615");
  refused(sample_batch({15}));
}

TEST_CASE("RedisDeliveries.WhatRedisRefusesIsNotThereAndMayComeLater") {
  using Kind = DeliveryFailure::Kind;
  RedisServer redis;
  StreamDeliveries stele(url_of(redis.url()));
  const api::DeliveryBatchToSend batch = sample_batch({1, 2});
  REQUIRE_EQ(redis.ask({"SET", "events", "x"}), "OK");
  check_failure(stele.attempt(batch), Kind::Stop, "wrong-type", false);
  CHECK_EQ(redis.ask({"GET", "events"}), "x");
  REQUIRE_EQ(redis.ask({"DEL", "events"}), "1");

  REQUIRE_EQ(redis.ask({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  check_failure(stele.attempt(batch), Kind::Retry, "out-of-memory", true);
  REQUIRE_EQ(redis.ask({"CONFIG", "SET", "maxmemory", "0"}), "OK");

  REQUIRE_EQ(redis.ask({"REPLICAOF", "127.0.0.1", "1"}), "OK");
  check_failure(stele.attempt(batch), Kind::Retry, "read-only", true);
  REQUIRE_EQ(redis.ask({"REPLICAOF", "NO", "ONE"}), "OK");

  CHECK_EQ(redis.ask({"EXISTS", "events"}), "0");
  CHECK(stele.attempt(batch).delivered);
  CHECK(positions_in(redis) == Positions{1, 2});
}

TEST_CASE("RedisDeliveries.TheRightsThatAreNeededAreEnough") {
  using Kind = DeliveryFailure::Kind;
  RedisServer redis;
  const std::vector<std::string> user{"ACL",     "SETUSER", "stele",  "reset", "on",      ">word",         "~event*",
                                      "&chann*", "+xadd",   "+multi", "+exec", "+xrange", "+xinfo|stream", "+publish"};
  REQUIRE_EQ(redis.ask(user), "OK");
  StreamDeliveries stele(url_of("redis://stele:word@127.0.0.1:" + std::to_string(redis.port())));
  CHECK(stele.attempt(sample_batch({1, 2})).delivered);
  CHECK(stele.attempt(sample_batch({1, 2})).delivered);
  api::RedisChannelSink channel(stele.sender(), "channel");
  CHECK(Attempt(channel, sample_batch({1, 2})).outcome().delivered);
  api::RedisChannelSink other_channel(stele.sender(), "other");
  check_failure(Attempt(other_channel, sample_batch({1, 2})).outcome(), Kind::Stop, "no-permission", false);
  api::RedisStreamSink other_key(stele.sender(), "other");
  check_failure(Attempt(other_key, sample_batch({1, 2})).outcome(), Kind::Stop, "no-permission", false);
  CHECK_EQ(redis.ask({"EXISTS", "other"}), "0");
  for (const char* const right : {"-xadd", "-multi", "-exec"}) {
    CAPTURE(right);
    REQUIRE_EQ(redis.ask({"ACL", "SETUSER", "stele", right}), "OK");
    check_failure(stele.attempt(sample_batch({3, 4})), Kind::Stop, "no-permission", false);
    REQUIRE_EQ(redis.ask(user), "OK");
    stele.deliver(sample_batch({3, 4}));

    REQUIRE_EQ(redis.ask({"DEL", "events"}), "1");
  }
}

TEST_CASE("RedisDeliveries.AWrongPasswordIsAnOutageThatIsSaidWithoutIt") {
  RedisServer redis({"--requirepass", "Tr0ub4dor"});
  StreamDeliveries stele(url_of("redis://:SESAME@127.0.0.1:" + std::to_string(redis.port())));
  REQUIRE(eventually([&] { return !stele.client().state().last_error.empty(); }));
  const api::AttemptOutcome outcome = Attempt(stele.sink(), sample_batch({1})).outcome();
  check_failure(outcome, DeliveryFailure::Kind::Retry, "no-connection", true);
  CHECK(outcome.detail.find("it refuses AUTH: WRONGPASS") != std::string::npos);
  CHECK_EQ(outcome.detail.find("SESAME"), std::string::npos);
}

TEST_CASE("RedisDeliveries.AnEventThatIsTooLargeIsSaid") {
  using Kind = DeliveryFailure::Kind;
  RedisServer redis({"--proto-max-bulk-len", "1mb"});
  RedisClientOptions options = patient();
  options.bytes_max = 4U << 20;
  options.commands_max = 10;
  StreamDeliveries stele(url_of(redis.url()), options);
  const auto large = [](std::size_t bytes) {
    return api::DeliveryBatchToSend{"sub_1_1", {sample_parcel(1, "\"" + std::string(bytes, 'x') + "\"")}};
  };
  check_failure(stele.attempt(large(5U << 20)), Kind::TooLarge, "too-large", false);
  check_failure(stele.attempt(sample_batch({1, 2, 3, 4, 5, 6, 7, 8, 9})), Kind::TooLarge, "too-large", false);
  CHECK(stele.attempt(sample_batch({1, 2, 3, 4, 5, 6, 7, 8})).delivered);
  // Redis says so and hangs up, so that its answer may be lost.
  CHECK(eventually([&] {
    const api::AttemptOutcome outcome = Attempt(stele.sink(), large(2U << 20)).outcome();
    return outcome.failure.kind == Kind::TooLarge && outcome.failure.error == "too-large";
  }));
}

TEST_CASE("RedisDeliveries.EveryAttemptEndsOnceWhateverIsAnswered") {
  // What becomes of a batch of two that is answered like this.
  const std::vector<std::pair<std::string, std::string>> cases{
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n", "delivered"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n*1\r\n$3\r\n1-0\r\n", "no-answer"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n:1\r\n:1\r\n", "no-answer"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n", "no-answer"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n:2\r\n", "no-answer"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n?", "no-answer"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2147483647\r\n", "no-answer"},
      {"+OK\r\n-LOADING x\r\n+QUEUED\r\n-EXECABORT x\r\n", "loading"},
      {"+OK\r\n-LOADING x\r\n?", "loading"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT x\r\n", "redis-error"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: OOM x\r\n", "out-of-memory"},
      {"+OK\r\n-MOVED 1 127.0.0.1:7001\r\n-MOVED 1 127.0.0.1:7001\r\n-EXECABORT x\r\n", "cluster"},
      {"-NOPERM x\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n-ERR EXEC without MULTI\r\n", "no-permission"},
      {"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-WRONGTYPE x\r\n-WRONGTYPE x\r\n", "wrong-type"}};
  for (const auto& [answer, expected] : cases) {
    CAPTURE(answer);
    FakeRedis redis([&answer = answer](std::string_view heard) {
      if (heard.find("PING") != std::string_view::npos) return std::string("+PONG\r\n");
      return heard.find("EXEC") != std::string_view::npos ? answer : std::string();
    });
    StreamDeliveries stele(redis.url());
    REQUIRE(eventually([&] { return stele.client().connected(); }));
    const Attempt attempt(stele.sink(), sample_batch({1, 2}));
    CHECK_EQ(attempt.outcome().delivered ? "delivered" : attempt.outcome().failure.error, expected);
    stele.end();
    CHECK_EQ(attempt.outcomes(), 1);
  }
}

TEST_CASE("RedisDeliveries.WhatIsSaidOfTheStreamIsNotBelievedBlindly") {
  const std::string repeat = "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n";
  const auto text = [](const std::string& value) {
    return "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  };
  const std::string none = "*0\r\n";
  const auto entry = [&](const std::string& id, const std::string& event) {
    return "*1\r\n*2\r\n" + text(id) + "*2\r\n" + text("eventId") + text(event);
  };
  const auto ends = [&](const std::string& id) { return "*2\r\n" + text("last-generated-id") + text(id); };
  const std::string event = "00000000-0000-0000-0000-000000000001";
  const std::vector<std::pair<std::string, std::string>> cases{
      {none + ends("1-0"), "delivered"},
      {none + "*4\r\n" + text("length") + ":1\r\n" + text("last-generated-id") + text("1-0"), "delivered"},
      {entry("1-0", event) + ends("1-0"), "delivered"},
      {entry("1-0", event) + ends("5-0"), "delivered"},
      {entry("1-0", "x") + ends("1-0"), "foreign-entries"},
      {none + ends("1-1"), "foreign-entries"},
      {none + ends("18446744073709551616-0"), "no-answer"},
      {none + ends("1-0x"), "no-answer"},
      {none + ends("1"), "no-answer"},
      {none + ends(""), "no-answer"},
      {none + "*2\r\n" + text("last-generated-id") + ":1\r\n", "no-answer"},
      {none + "*1\r\n" + text("last-generated-id"), "no-answer"},
      {none + none, "no-answer"},
      {none + ":1\r\n", "no-answer"},
      {":1\r\n" + ends("1-0"), "no-answer"},
      {"*1\r\n*2\r\n" + text("1-0") + "*1\r\n" + text("eventId") + ends("1-0"), "no-answer"},
      {"*1\r\n*1\r\n" + text("1-0") + ends("1-0"), "no-answer"},
      {entry("x", event) + ends("1-0"), "no-answer"},
      {none + "-ERR no such key\r\n", "redis-error"},
      {"-NOPERM x\r\n" + ends("1-0"), "no-permission"},
      {"-NOPERM x\r\n?", "no-permission"},
      {none + "?", "no-answer"}};
  for (const auto& [answer, expected] : cases) {
    CAPTURE(answer);
    FakeRedis redis([&, &answer = answer](std::string_view heard) {
      if (heard.find("PING") != std::string_view::npos) return std::string("+PONG\r\n");
      if (heard.find("XINFO") != std::string_view::npos) return answer;
      return "+OK\r\n+QUEUED\r\n*1\r\n" + repeat;
    });
    StreamDeliveries stele(redis.url());
    REQUIRE(eventually([&] { return stele.client().connected(); }));
    const Attempt attempt(stele.sink(), sample_batch({1}));
    CHECK_EQ(attempt.outcome().delivered ? "delivered" : attempt.outcome().failure.error, expected);
    stele.end();
    CHECK_EQ(attempt.outcomes(), 1);
  }
}

TEST_CASE("RedisDeliveries.WhatIsUnderWayAtTheEndIsAbandonedOnce") {
  FakeRedis redis([](std::string_view heard) {
    return std::string(heard.find("PING") != std::string_view::npos ? "+PONG\r\n" : "");
  });
  RedisClientOptions options = patient();
  options.commands_max = 20;
  std::vector<Attempt> attempts;
  {
    StreamDeliveries stele(redis.url(), options);
    REQUIRE(eventually([&] { return stele.client().connected(); }));
    // Some of them are under way, there is no room for the others.
    for (int i = 0; i < 50; ++i) attempts.emplace_back(stele.sink(), sample_batch({1, 2}));
  }
  for (const Attempt& attempt : attempts) {
    REQUIRE_EQ(attempt.outcomes(), 1);
    CHECK(attempt.outcome().abandoned);
  }
}
