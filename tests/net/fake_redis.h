#pragma once
// Servers that say what no Redis would, and a client with the thread that it needs.

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "net/redis/redis_client.h"

namespace stele::tests {

/// Takes one connection after the other, and answers each piece of what it hears by what `answer` gives.
class FakeRedis {
 public:
  using Answer = std::function<std::string(std::string_view heard)>;
  explicit FakeRedis(Answer answer)
      : answer_(std::move(answer)),
        acceptor_(io_, boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)),
        thread_([this] { run(); }) {}
  ~FakeRedis() {
    stop_ = true;
    boost::asio::io_context io;
    boost::asio::ip::tcp::socket last(io);
    boost::system::error_code ignored;
    last.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  [[nodiscard]] net::RedisUrl url() const {
    net::RedisUrl url;
    url.port = acceptor_.local_endpoint().port();
    return url;
  }
  std::atomic<int> connections{0};

 private:
  void run() {
    while (!stop_) {
      boost::system::error_code ec;
      boost::asio::ip::tcp::socket socket(io_);
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
  boost::asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

/// With little room, and with time enough for any machine unless `time` says something else.
inline net::RedisClientOptions hasty(std::chrono::milliseconds time = std::chrono::minutes{1}) {
  net::RedisClientOptions options;
  options.purpose = "test";
  options.connect_time = time;
  options.answer_time = time;
  options.retry_first = options.retry_last = std::chrono::milliseconds{5};
  options.commands_max = 100;
  options.bytes_max = 4096;
  options.reply_bytes_max = 1024;
  return options;
}

/// A client and the thread that it needs.
class RunningClient {
 public:
  explicit RunningClient(const net::RedisUrl& url, const net::RedisClientOptions& options = hasty())
      : client_(std::in_place, context_, url, options), thread_([this] { context_.run(); }) {}
  ~RunningClient() { end(); }
  /// Of the thread; the client is at rest then.
  void stop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void end() {
    stop();
    client_.reset();
  }
  net::RedisClient* operator->() { return &*client_; }
  net::RedisClient& operator*() { return *client_; }
  [[nodiscard]] boost::asio::io_context& context() { return context_; }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::optional<net::RedisClient> client_;
  std::thread thread_;
};

}  // namespace stele::tests
