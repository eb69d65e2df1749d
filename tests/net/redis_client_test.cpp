// The Redis client before servers that say what no Redis would.

#include "net/redis/redis_client.h"

#include <doctest/doctest.h>

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

using namespace stele;
using namespace stele::net;
using boost::asio::ip::tcp;

namespace {

/// Takes one connection after the other, and answers each piece of what it hears by what `answer` gives.
class FakeRedis {
 public:
  using Answer = std::function<std::string(std::string_view heard)>;
  explicit FakeRedis(Answer answer)
      : answer_(std::move(answer)),
        acceptor_(io_, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)),
        thread_([this] { run(); }) {}
  ~FakeRedis() {
    stop_ = true;
    boost::asio::io_context io;
    tcp::socket last(io);
    boost::system::error_code ignored;
    last.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  [[nodiscard]] RedisUrl url() const {
    RedisUrl url;
    url.port = acceptor_.local_endpoint().port();
    return url;
  }
  std::atomic<int> connections{0};

 private:
  void run() {
    while (!stop_) {
      boost::system::error_code ec;
      tcp::socket socket(io_);
      acceptor_.accept(socket, ec);
      if (ec || stop_) return;
      ++connections;
      std::string buffer(65536, '\0');
      while (!ec) {
        const std::size_t size = socket.read_some(boost::asio::buffer(buffer), ec);
        if (!ec) boost::asio::write(socket, boost::asio::buffer(answer_({buffer.data(), size})), ec);
      }
    }
  }

  const Answer answer_;
  std::atomic<bool> stop_{false};
  boost::asio::io_context io_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

RedisClientOptions hasty() {
  RedisClientOptions options;
  options.purpose = "test";
  options.connect_time = std::chrono::milliseconds{300};
  options.answer_time = std::chrono::milliseconds{300};
  options.retry_first = options.retry_last = std::chrono::milliseconds{5};
  options.commands_max = 100;
  options.bytes_max = 4096;
  options.reply_bytes_max = 1024;
  return options;
}

/// A client and the thread that it needs.
class RunningClient {
 public:
  explicit RunningClient(const RedisUrl& url, const RedisClientOptions& options = hasty())
      : client_(std::in_place, context_, url, options), thread_([this] { context_.run(); }) {}
  ~RunningClient() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    context_.stop();
    thread_.join();
    client_.reset();
  }
  RedisClient* operator->() { return &*client_; }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::optional<RedisClient> client_;
  std::thread thread_;
};

/// False if it does not within a minute.
bool comes_true(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

bool is_ping(std::string_view heard) { return heard.find("PING") != std::string_view::npos; }

}  // namespace

TEST_CASE("RedisClient.EveryCommandIsDoneOnceInOrderWhateverTheConnectionDoes") {
  int heard = 0, nonsense_at = 0;  // of the server's thread
  FakeRedis redis([&](std::string_view bytes) -> std::string {
    if (is_ping(bytes)) return "+PONG\r\n";
    std::string answers;
    for (std::size_t at = 0; (at = bytes.find("*2\r\n", at)) != std::string_view::npos; ++at) {
      answers += ":" + std::to_string(++heard) + "\r\n";
    }
    if (heard >= nonsense_at) {
      nonsense_at = heard + 50;
      answers += "?\r\n";
    }
    return answers;
  });
  std::atomic<int> done{0}, failed{0};
  int taken = 0;
  std::atomic<bool> in_order{true};
  {
    RunningClient client(redis.url());
    std::int64_t last = 0;  // of the client's thread
    CHECK(comes_true([&] {
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
    REQUIRE(comes_true([&] { return client->state().connected; }));
    std::atomic<int> done{0};
    REQUIRE(client->send(redis_command({"GET", "x"}), [&](const RedisReply*) { ++done; }));
    CHECK(comes_true([&] { return client->state().connects >= 2; }));
    CHECK_EQ(done, 1);
    CHECK(client->state().last_error.starts_with("it gave "));
  }
}

TEST_CASE("RedisClient.TakesNoMoreThanMayWaitAndGivesUpWhenNoAnswerComes") {
  FakeRedis redis([](std::string_view bytes) { return std::string(is_ping(bytes) ? "+PONG\r\n" : ""); });
  RunningClient client(redis.url());
  REQUIRE(comes_true([&] { return client->state().connected; }));
  CHECK_FALSE(client->send(redis_command({"SET", "x", std::string(5000, 'x')}), [](const RedisReply*) {}));
  std::atomic<int> done{0};
  int taken = 0;
  while (client->send(redis_command({"GET", "x"}),
                      [&](const RedisReply* reply) { done += reply == nullptr ? 1 : 1000; })) {
    ++taken;
  }
  CHECK(taken <= 100);
  CHECK(taken > 0);
  CHECK(comes_true([&] { return done == taken; }));
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
    CHECK(comes_true([&] { return !client->state().last_error.empty(); }));
    CHECK_EQ(client->state().last_error, "it refuses AUTH: ERR");
    CHECK_FALSE(client->send(redis_command({"PING"}), [](const RedisReply*) {}));
  }
}

TEST_CASE("RedisClient.AServerThatSaysNothingIsGivenUpAndTriedAgain") {
  FakeRedis redis([](std::string_view) { return std::string(); });
  RunningClient client(redis.url());
  CHECK(comes_true([&] { return redis.connections >= 2; }));
  CHECK_EQ(client->state().last_error, "it does not answer in time");
  CHECK_FALSE(client->state().connected);
}

TEST_CASE("RedisClient.ANameThatNobodyHasIsSaid") {
  RedisUrl url;
  url.host = "no-such-host.invalid";
  RunningClient client(url);
  CHECK(comes_true([&] { return !client->state().last_error.empty(); }));
  CHECK_FALSE(client->state().connected);
}
