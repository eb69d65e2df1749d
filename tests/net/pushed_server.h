#pragma once
// A server whose answers have bodies that are pushed, and the other ends of those bodies, for the test to push.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "api/http/buffered_body.h"
#include "api/http/http.h"
#include "api/http/problem.h"
#include "net/server/server.h"
#include "tests/net/test_server.h"
#include "tests/net/tls_fixture.h"
#include "tests/support/eventually.h"

namespace stele::tests {

/// What the test knows of a body, and does to it. Thread-safe.
class Stage {
 public:
  std::atomic<int> asked{0};  ///< calls of next()
  std::atomic<int> alive{0};  ///< bodies that exist
  std::atomic<int> heartbeats{0};
  std::atomic<bool> ended_by_client{false};
  std::atomic<bool> told_of_shutdown{false};
  std::atomic<bool> blocks{false};                      ///< asks are made on the read pool
  std::atomic<bool> asked_on_io{false};                 ///< one was not
  std::atomic<std::size_t> takes_max{~std::size_t{0}};  ///< bytes the echo holds

  void begin(std::shared_ptr<api::Waker> waker) {
    const std::lock_guard lock(mutex_);
    waker_ = std::move(waker);
    changed_.notify_all();
  }
  /// Once the body has begun.
  std::shared_ptr<api::Waker> waker() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waker_ != nullptr; });
    return waker_;
  }
  void say(const std::string& text) {
    {
      const std::lock_guard lock(mutex_);
      script_ += text;
    }
    waker()->wake();
  }
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
    }
    waker()->wake();
  }
  /// From the next time that it is asked.
  void fail() {
    const std::lock_guard lock(mutex_);
    failing_ = true;
  }
  /// Who asks waits, until it is called with false. Only if it blocks.
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  Result<api::PushedBody::Step> take(std::string& to) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !held_; });
    if (failing_) return Error{ErrorKind::Io, "the stage fell down"};
    to += script_;
    script_.clear();
    return finished_ ? api::PushedBody::Step::End : api::PushedBody::Step::Wait;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<api::Waker> waker_;
  std::string script_;
  bool finished_ = false;
  bool failing_ = false;
  bool held_ = false;
};

/// Says what the stage is told to say.
class Actor final : public api::PushedBody {
 public:
  Actor(Stage& stage, std::chrono::milliseconds quiet_max) : stage_(stage), quiet_max_(quiet_max) { ++stage_.alive; }
  ~Actor() override { --stage_.alive; }
  void begin(std::shared_ptr<api::Waker> waker) override {
    io_ = std::this_thread::get_id();
    stage_.begin(std::move(waker));
  }
  Result<Step> next(Occasion occasion, std::string& to) override {
    ++stage_.asked;
    if (std::this_thread::get_id() == io_) stage_.asked_on_io = true;
    if (occasion == Occasion::ShuttingDown) {
      stage_.told_of_shutdown = true;
      to += "bye\n";
      return Step::Wait;
    }
    const Result<Step> step = stage_.take(to);
    if (occasion == Occasion::Quiet && to.empty()) {
      ++stage_.heartbeats;
      to += ":\n";
    }
    return step;
  }
  [[nodiscard]] bool may_block() const override { return stage_.blocks; }
  [[nodiscard]] std::chrono::milliseconds quiet_max() const override { return quiet_max_; }

 private:
  Stage& stage_;
  const std::chrono::milliseconds quiet_max_;
  std::thread::id io_;
};

/// Gives `pieces` pieces of one letter each, a thousand times, without ever waiting.
class Chatterbox final : public api::PushedBody {
 public:
  explicit Chatterbox(std::uint64_t pieces) : pieces_(pieces) {}
  void begin(std::shared_ptr<api::Waker> /*waker*/) override {}
  Result<Step> next(Occasion /*occasion*/, std::string& to) override {
    to.append(1000, static_cast<char>('a' + at_ % 26));
    return ++at_ < pieces_ ? Step::More : Step::End;
  }

 private:
  std::uint64_t pieces_, at_ = 0;
};

/// Greets, gives back what it gets, and says when it was told that the end is near.
class Echo final : public api::UpgradedStream {
 public:
  explicit Echo(Stage& stage) : stage_(stage) { ++stage_.alive; }
  ~Echo() override { --stage_.alive; }
  [[nodiscard]] std::string_view protocol() const override { return "echo"; }
  void begin(std::shared_ptr<api::Waker> waker) override { stage_.begin(waker), waker_ = std::move(waker); }
  Result<std::size_t> take(std::string_view bytes) override {
    if (bytes.starts_with("broken")) return Error{ErrorKind::InvalidArgument, "no such frame"};
    const std::size_t taken = std::min(bytes.size(), stage_.takes_max.load());
    out_ += bytes.substr(0, taken);
    refused_ = taken < bytes.size();
    return taken;
  }
  Result<Step> next(Occasion occasion, std::string& to) override {
    if (!greeted_) to += "hello ";
    greeted_ = true;
    to += std::exchange(out_, {});
    if (std::exchange(refused_, false)) waker_->wake();
    if (const Result<Step> said = stage_.take(to); !said || *said == Step::End) return said;
    if (occasion == Occasion::ClientEnded) {
      stage_.ended_by_client = true;
      to += " farewell";
    }
    if (occasion == Occasion::ShuttingDown) {
      stage_.told_of_shutdown = true;
      to += " shutdown";
    }
    return Step::Wait;
  }

 private:
  Stage& stage_;
  std::shared_ptr<api::Waker> waker_;
  std::string out_;
  bool greeted_ = false;
  bool refused_ = false;
};

/// /actor?<quiet_ms>, /buffered, /echo, /misled (upgrades whoever asks for nothing), /chatter?<pieces>; else the path.
class PushedHandler final : public api::Handler {
 public:
  PushedHandler(Stage& stage, std::shared_ptr<api::PushBuffer> buffer) : stage_(stage), buffer_(std::move(buffer)) {}
  void begin_shutdown() override {}
  void handle(const api::Request& request, api::Reply reply) override {
    api::Response response;
    response.content_type = "text/event-stream";
    const std::string_view path = request.path();
    if (path == "/actor") {
      const auto quiet_ms = FakeHandler::number(request.query());
      response.pushed = std::make_unique<Actor>(stage_, std::chrono::milliseconds(quiet_ms));
    } else if (path == "/chatter") {
      response.pushed = std::make_unique<Chatterbox>(FakeHandler::number(request.query()));
    } else if (path == "/buffered") {
      response.pushed = std::make_unique<api::BufferedBody>(
          buffer_, api::BufferedBody::Pieces{.at_overflow = "[too slow]", .at_shutdown = "[shutdown]"});
    } else if ((path == "/echo" && request.may_upgrade_to("echo")) || path == "/misled") {
      response.headers.emplace_back("X-Accepted", "yes");
      response.upgraded = std::make_unique<Echo>(stage_);
    } else {
      response = FakeHandler::text(200, std::string(path));
    }
    reply(std::move(response));
  }

 private:
  Stage& stage_;
  const std::shared_ptr<api::PushBuffer> buffer_;
};

struct PushedServer {
  explicit PushedServer(net::ServerOptions options = quick()) {
    auto started = net::Server::start(
        std::move(options), [this](api::Scheduler&) { return std::make_unique<PushedHandler>(stage, buffer); });
    if (!started) throw std::runtime_error(started.error().describe());
    server = std::move(started).value();
  }
  [[nodiscard]] int port() const { return server->port(); }
  void await_no_body() const {
    wait_until([&] { return stage.alive == 0; });
  }
  void await_connections(std::size_t count) const {
    wait_until([&] { return server->connections() == count; });
  }

  void end() const {
    server->begin_shutdown();
    server->wait();
  }

  Stage stage;
  std::shared_ptr<api::PushBuffer> buffer = std::make_shared<api::PushBuffer>(64 * 1024);
  std::unique_ptr<net::Server> server;
};

/// The same behind TLS.
struct PushedTlsServer {
  PushedTlsServer() : server(with_tls()) {}
  [[nodiscard]] HttpClient client() const {
    ClientTls tls;
    tls.ca = folder.authority.certificate();
    HttpClient made(server.port());
    made.use_tls(tls);
    return made;
  }
  [[nodiscard]] net::ServerOptions with_tls() const {
    net::ServerOptions options = quick();
    auto loaded = net::ServerTls::load(folder.files());
    if (!loaded) throw std::runtime_error(loaded.error().describe());
    options.tls = std::move(loaded).value();
    return options;
  }

  TlsFolder folder;
  PushedServer server;
};

}  // namespace stele::tests
