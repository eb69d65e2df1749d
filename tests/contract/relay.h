#pragma once
// Stands between a command and a server, and may change what the server answers.

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "net/server/server.h"
#include "tests/support/http_client.h"

namespace stele::tests {

/// Of GET requests, and of their headers only Accept.
class Relay {
 public:
  using Change = std::function<void(const std::string& target, HttpResponse& answer)>;

  explicit Relay(int port) : upstream_(port) {
    net::ServerOptions options;
    options.io_threads = options.read_threads = 1;
    auto started =
        net::Server::start(std::move(options), [this](api::Scheduler&) { return std::make_unique<Passing>(*this); });
    REQUIRE(started);
    server_ = std::move(started).value();
  }

  /// For all answers from now on.
  void change(Change change) {
    const std::lock_guard lock(mutex_);
    change_ = std::move(change);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

 private:
  class Passing final : public api::Handler {
   public:
    explicit Passing(Relay& relay) : relay_(relay) {}
    void handle(const api::Request& request, api::Reply reply) override { reply(relay_.answer(request)); }
    void begin_shutdown() override {}

   private:
    Relay& relay_;
  };

  api::Response answer(const api::Request& request) {
    std::string target(request.path());
    if (!request.query().empty()) target.append("?").append(request.query());
    const std::lock_guard lock(mutex_);
    Headers headers;
    if (request.has_header("Accept")) headers.emplace_back("Accept", std::string(request.header("Accept")));
    HttpResponse given = upstream_.get(target, headers);
    if (change_) change_(target, given);
    api::Response response;
    response.status = given.status;
    response.body = std::move(given.body);
    return response;
  }

  std::mutex mutex_;
  HttpClient upstream_;
  Change change_;
  std::unique_ptr<net::Server> server_;  // last: it uses all of the above
};

}  // namespace stele::tests
