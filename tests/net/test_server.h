#pragma once
// A server on a free port in front of a handler that does what the path says.

#include <doctest/doctest.h>

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/server/server.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"

namespace stele::tests {

/// Pieces of `bytes` letters each, told apart by their letter; fails instead of piece `fail_at`.
class Letters final : public api::BodySource {
 public:
  Letters(std::uint64_t pieces, std::uint64_t bytes, std::uint64_t fail_at)
      : pieces_(pieces), bytes_(bytes), fail_at_(fail_at) {}
  [[nodiscard]] Result<bool> next(std::string& to) override {
    if (at_ == fail_at_) return Error{ErrorKind::Io, "the source broke"};
    if (at_ == pieces_) return false;
    to.append(bytes_, static_cast<char>('a' + at_ % 26));
    ++at_;
    ++pulled;
    return at_ < pieces_;
  }
  static inline std::atomic<std::uint64_t> pulled{0};

 private:
  std::uint64_t pieces_, bytes_, fail_at_, at_ = 0;
};

class FakeHandler final : public api::Handler {
 public:
  explicit FakeHandler(api::Scheduler& scheduler) : scheduler_(scheduler) {}
  ~FakeHandler() override {
    release();
    for (std::thread& thread : threads_) thread.join();
  }

  void begin_shutdown() override { shutting_down = true; }
  void complete(const api::Request& request, api::Response& response) const override {
    response.headers.emplace_back("X-Correlation-Id", "completed " + std::string(request.header("Origin")));
  }
  bool wants_body(const api::Request& request, api::BodyTerms& terms) override {
    terms.payer = request.header("X-Principal");
    if (request.path() == "/small") terms.bytes_max = 10;
    return request.path() != "/unwanted";
  }

  void handle(const api::Request& request, api::Reply reply) override {
    ++requests;
    const std::string_view path = request.path();
    if (path == "/throw") throw std::runtime_error("thrown by the handler");
    if (path == "/throw-odd") throw 7;
    if (path == "/pool") {
      const api::Request* const borrowed = &request;
      if (!scheduler_.run_on_read_pool(
              [reply, borrowed] { reply(text(200, "pool " + std::string(borrowed->body()))); })) {
        reply(api::problem_response("busy", "The read pool is full."));
      }
      return;
    }
    if (path == "/until-abandoned") {
      const api::Request* const borrowed = &request;
      (void)scheduler_.run_on_read_pool([this, reply, borrowed] {
        ++working;
        wait_until([&] { return borrowed->abandoned(); });
        reply(text(200, borrowed->is_cut_off() ? "cut off" : "abandoned"));
      });
      return;
    }
    if (path == "/later") {
      scheduler_.after(std::chrono::milliseconds(1), [reply] { reply(text(200, "later")); });
      return;
    }
    if (path == "/thread") {
      const std::lock_guard lock(mutex_);
      const api::Request* const borrowed = &request;
      threads_.emplace_back([reply, borrowed] { reply(text(200, "thread " + std::string(borrowed->query()))); });
      return;
    }
    if (path == "/resume") {
      const api::Request* const borrowed = &request;
      const auto home = std::this_thread::get_id();
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([reply, borrowed, home] {
        borrowed->resume([reply, home] { reply(text(200, home == std::this_thread::get_id() ? "home" : "abroad")); });
      });
      return;
    }
    if (path == "/hold") {
      const std::lock_guard lock(mutex_);
      if (!released_) {
        held_.push_back(std::move(reply));
        changed_.notify_all();
        return;
      }
    }
    if (path == "/twice") {
      reply(text(200, "first"));
      reply(text(200, "second"));
      return;
    }
    if (path == "/large") return reply(text(200, std::string(number(request.query()), 'x')));
    if (path == "/empty") {
      api::Response response;
      response.status = 204;
      response.content_type = {};
      return reply(std::move(response));
    }
    if (path == "/stream" || path == "/broken" || path == "/broken-at-once") {
      api::Response response;
      response.content_type = "application/x-ndjson";
      const std::uint64_t fail_at = path == "/broken" ? 3 : path == "/stream" ? ~0ULL : 0;
      response.source = std::make_unique<Letters>(number(request.query()), 64 * 1024, fail_at);
      return reply(std::move(response));
    }
    if (path == "/inject") {
      api::Response response = text(200, "x");
      response.headers.emplace_back("X-Correlation-Id", "a\r\nX-Evil: 1");
      return reply(std::move(response));
    }
    if (path == "/padding") {
      const std::string_view body = request.body();
      unsigned sum = 0;
      for (std::size_t i = 0; i < 64; ++i) sum += static_cast<unsigned char>(body.data()[body.size() + i]);
      return reply(text(200, sum == 0 ? "zeros" : "bytes"));
    }
    if (path == "/header") {
      api::Response response = text(200, std::string(request.header(request.query())));
      response.headers.emplace_back("X-Correlation-Id", "correlation");
      return reply(std::move(response));
    }
    if (path == "/certificate") return reply(text(200, std::string(request.client_certificate())));
    if (path == "/authority") return reply(text(200, std::string(request.authority())));
    if (path == "/failing") {
      api::Response response = api::problem_response("internal-error", "The server failed.");
      response.internal_error = "the two readers differ";
      return reply(std::move(response));
    }
    if (path == "/remote") return reply(text(200, std::string(request.remote_address())));
    reply(text(200, std::string(path) + "?" + std::string(request.query()) + ":" + std::string(request.body())));
  }

  /// Waits until `count` requests of /hold wait.
  void await_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_.size() >= count; });
  }
  /// Answers what is held, all in a row, and from now on at once.
  void release() {
    std::vector<api::Reply> held;
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
      held.swap(held_);
    }
    for (api::Reply& reply : held) reply(text(200, "released"));
  }

  static api::Response text(int status, std::string body) {
    api::Response response;
    response.status = status;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
  }
  static std::uint64_t number(std::string_view digits) {
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }

  std::atomic<int> requests{0};
  std::atomic<int> working{0};  ///< requests of /until-abandoned that have begun
  std::atomic<bool> shutting_down{false};

 private:
  api::Scheduler& scheduler_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<api::Reply> held_;
  bool released_ = false;
  std::vector<std::thread> threads_;
};

struct TestServer {
  explicit TestServer(net::ServerOptions options = {}) {
    auto started = net::Server::start(std::move(options), [this](api::Scheduler& scheduler) {
      auto made = std::make_unique<FakeHandler>(scheduler);
      handler = made.get();
      return made;
    });
    if (!started) throw std::runtime_error(started.error().describe());
    server = std::move(started).value();
  }
  ~TestServer() {
    if (handler != nullptr) handler->release();
  }

  [[nodiscard]] int port() const { return server->port(); }
  [[nodiscard]] HttpClient client() const { return HttpClient(port()); }
  /// Waits until that many connections are open.
  void await_connections(std::size_t count) const {
    wait_until([&] { return server->connections() == count; });
  }
  /// Shuts down and waits; the handler is gone then.
  void end() {
    server->begin_shutdown();
    handler->release();
    server->wait();
    handler = nullptr;
  }

  FakeHandler* handler = nullptr;
  std::unique_ptr<net::Server> server;
};

/// Options in which deadlines that a test waits for are short.
inline net::ServerOptions quick() {
  net::ServerOptions options;
  options.limits.sweep_ms = 5;
  options.limits.linger_ms = 200;
  return options;
}

}  // namespace stele::tests
