// The Redis client before servers that say what no Redis would.

#include "net/redis/redis_client.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/net/fake_redis.h"
#include "tests/support/eventually.h"

using namespace stele;
using namespace stele::net;
using stele::tests::eventually;
using stele::tests::FakeRedis;
using stele::tests::hasty;
using stele::tests::RunningClient;

namespace {

/// Where time that is over is what a test is about.
constexpr std::chrono::milliseconds kSoon{300};

bool is_ping(std::string_view heard) { return heard.find("PING") != std::string_view::npos; }

}  // namespace

TEST_CASE("RedisClient.EveryCommandIsDoneOnceInOrderWhateverTheConnectionDoes") {
  int heard = 0, nonsense_at = 0;  // of the server's thread
  FakeRedis redis([&](std::string_view bytes) -> std::string {
    if (is_ping(bytes)) return "+PONG\r\n";
    std::string answers;
    for (std::size_t at = 0; (at = bytes.find("*2\r\n", at)) != std::string_view::npos; ++at) {
      if (++heard >= nonsense_at) {
        nonsense_at = heard + 50;
        answers += "?\r\n";
      }
      answers += ":" + std::to_string(heard) + "\r\n";
    }
    return answers;
  });
  std::atomic<int> done{0}, failed{0};
  int taken = 0;
  std::atomic<bool> in_order{true};
  {
    RunningClient client(redis.url());
    std::int64_t last = 0;  // of the client's thread
    CHECK(eventually([&] {
      for (int i = 0; i < 20; ++i) {
        taken += client->send(redis_command({"GET", "x"}), [&](const RedisReply* reply) {
          ++done;
          if (reply == nullptr) return void(++failed);
          if (reply->kind != RedisReply::Kind::Integer || reply->integer <= last) in_order = false;
          last = reply->integer;
        });
      }
      return client->state().connects >= 10;
    }));
  }
  CHECK_EQ(done, taken);
  CHECK(failed > 0);
  CHECK(failed < done);
  CHECK(in_order);
}

TEST_CASE("RedisClient.GivesUpOnWhatIsNoAnswer") {
  const std::string large = "$2000\r\n" + std::string(2000, 'x') + "\r\n";
  for (const std::string& nonsense :
       {std::string("*2\r\n:1\r\n:2\r\n"), std::string("*2147483647\r\n"), std::string("$99999999999999999999\r\n"),
        std::string("HTTP/1.1 200 OK\r\n"), std::string(":1\r\n:2\r\n"), std::string("$-2\r\nx"),
        std::string("\0\0\0", 3), std::string(5000, '+'), large}) {
    CAPTURE(nonsense.substr(0, 30));
    FakeRedis redis([&](std::string_view bytes) { return is_ping(bytes) ? "+PONG\r\n" : nonsense; });
    RunningClient client(redis.url());
    REQUIRE(eventually([&] { return client->state().connected; }));
    std::atomic<int> done{0};
    REQUIRE(client->send(redis_command({"GET", "x"}), [&](const RedisReply*) { ++done; }));
    CHECK(eventually([&] { return client->state().connects >= 2; }));
    CHECK_EQ(done, 1);
    CHECK(client->state().last_error.starts_with("it gave "));
  }
}

TEST_CASE("RedisClient.TakesNoMoreThanMayWaitAndGivesUpWhenNoAnswerComes") {
  FakeRedis redis([](std::string_view bytes) { return std::string(is_ping(bytes) ? "+PONG\r\n" : ""); });
  RunningClient client(redis.url(), hasty(kSoon));
  REQUIRE(eventually([&] { return client->state().connected; }));
  CHECK_FALSE(client->send(redis_command({"SET", "x", std::string(5000, 'x')}), [](const RedisReply*) {}));
  std::atomic<int> done{0};
  int taken = 0;
  while (client->send(redis_command({"GET", "x"}),
                      [&](const RedisReply* reply) { done += reply == nullptr ? 1 : 1000; })) {
    ++taken;
  }
  CHECK(taken <= 100);
  CHECK(taken > 0);
  CHECK(eventually([&] { return done == taken; }));
  CHECK_EQ(client->state().last_error, "it does not answer in time");
}

TEST_CASE("RedisClient.APasswordThatIsRepeatedIsNotSaid") {
  RedisUrl url;
  {
    FakeRedis redis(
        [](std::string_view) { return "-ERR unknown command `AUTH`, with args beginning with: `SESAME`\r\n"; });
    url = redis.url();
    url.password = "SESAME";
    RunningClient client(url);
    CHECK(eventually([&] { return !client->state().last_error.empty(); }));
    CHECK_EQ(client->state().last_error, "it refuses AUTH: ERR");
    CHECK_FALSE(client->send(redis_command({"PING"}), [](const RedisReply*) {}));
  }
}

TEST_CASE("RedisClient.AServerThatSaysNothingIsGivenUpAndTriedAgain") {
  FakeRedis redis([](std::string_view) { return std::string(); });
  RunningClient client(redis.url(), hasty(kSoon));
  CHECK(eventually([&] { return redis.connections >= 2; }));
  CHECK_EQ(client->state().last_error, "it does not answer in time");
  CHECK_FALSE(client->state().connected);
}

TEST_CASE("RedisClient.NamesBelowLocalhostAreThisMachine") {
  FakeRedis redis([](std::string_view) { return std::string("+PONG\r\n"); });
  RedisUrl url = redis.url();
  url.host = "redis.localhost";
  RunningClient client(url);
  CHECK(eventually([&] { return client->state().connected; }));
}

TEST_CASE("RedisClient.ANameThatNobodyHasIsSaid") {
  RedisUrl url;
  url.host = "no-such-host.invalid";
  RunningClient client(url, hasty(kSoon));
  CHECK(eventually([&] { return !client->state().last_error.empty(); }));
  CHECK_FALSE(client->state().connected);
}

TEST_CASE("RedisClient.CommandsThatAreSentAsOneHaveNoOthersBetweenThem") {
  // Answers with how many commands came since the last one that opens a group.
  int inside = 0;  // of the server's thread
  std::string rest;
  FakeRedis redis([&](std::string_view bytes) -> std::string {
    if (is_ping(bytes)) return "+PONG\r\n";
    rest += bytes;
    std::string answers;
    const std::string command = redis_command({"A"});
    while (rest.size() >= command.size()) {
      inside = rest[command.size() - 3] == 'A' ? 0 : inside + 1;
      answers += ":" + std::to_string(inside) + "\r\n";
      rest.erase(0, command.size());
    }
    return answers;
  });
  RunningClient client(redis.url());
  REQUIRE(eventually([&] { return client->connected(); }));
  const std::string group = redis_command({"A"}) + redis_command({"B"}) + redis_command({"B"}) + redis_command({"B"});
  std::mutex mutex;
  std::vector<std::vector<std::int64_t>> heard;
  std::vector<std::thread> senders;
  for (int i = 0; i < 2; ++i) {
    senders.emplace_back([&] {
      for (int sent = 0; sent < 200;) {
        const auto answers = std::make_shared<std::vector<std::int64_t>>();
        sent += client->send(group, 4, [&, answers](const RedisReply* reply) {
          answers->push_back(reply == nullptr ? -1 : reply->integer);
          const std::lock_guard lock(mutex);
          if (answers->size() == 4) heard.push_back(*answers);
        });
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return heard.size() == 400;
  }));
  for (const auto& answers : heard) CHECK(answers == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK_EQ(client->state().waiting, 0);
  // All of them or none.
  CHECK_FALSE(client->send(group, 101, [](const RedisReply*) {}));
}

TEST_CASE("RedisClient.NullIsTheLastAnswerToCommandsThatAreSentAsOne") {
  bool is_first = true;  // of the server's thread
  FakeRedis redis([&](std::string_view bytes) -> std::string {
    if (is_ping(bytes)) return "+PONG\r\n";
    return std::exchange(is_first, false) ? ":1\r\n:2\r\n?\r\n" : "";
  });
  std::atomic<int> answers{0}, nulls{0}, after{0};
  {
    RunningClient client(redis.url());
    REQUIRE(eventually([&] { return client->connected(); }));
    REQUIRE(client->send(redis_command({"A"}) + redis_command({"B"}) + redis_command({"C"}), 3,
                         [&](const RedisReply* reply) {
                           if (nulls != 0) ++after;
                           ++(reply == nullptr ? nulls : answers);
                         }));
    CHECK(eventually([&] { return nulls == 1; }));
    CHECK_EQ(client->state().waiting, 0);
  }
  CHECK_EQ(answers, 2);
  CHECK_EQ(nulls, 1);
  CHECK_EQ(after, 0);
}
