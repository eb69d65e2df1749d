#pragma once
// The other end of a live stream: asks its body for pieces as net does.

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "tests/api/support.h"

namespace stele::api::test {

class TestWaker final : public Waker {
 public:
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return woken_; }));
    woken_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

/// A stream that was opened. The service must outlive it.
class LiveReader {
 public:
  LiveReader(TestService& service, std::string target, const TestService::Headers& headers = {})
      : request_(std::make_shared<TestRequest>(Method::Get, std::move(target), "", headers, service.scheduler())),
        response_(service.open(request_)) {
    if (body() != nullptr) body()->begin(waker_);
  }

  [[nodiscard]] const Response& response() const { return response_; }
  [[nodiscard]] PushedBody* body() const {
    return response_.upgraded != nullptr ? response_.upgraded.get() : response_.pushed.get();
  }
  [[nodiscard]] bool ended() const { return ended_; }

  /// What it says until it waits or ends.
  std::string read(PushedBody::Occasion occasion = PushedBody::Occasion::Woken) {
    REQUIRE(body() != nullptr);
    std::string text;
    for (;;) {
      std::string piece;
      const auto step = body()->next(occasion, piece);
      REQUIRE_MESSAGE(step, step.error().describe());
      text += piece;
      occasion = PushedBody::Occasion::Woken;
      if (*step == PushedBody::Step::More) continue;
      ended_ = *step == PushedBody::Step::End;
      return text;
    }
  }
  /// The same, until it has said something with `text` in it, waiting for it.
  std::string read_until(const std::string& text) {
    std::string all = read();
    while (all.find(text) == std::string::npos) {
      REQUIRE_FALSE(ended_);
      waker_->wait();
      all += read();
    }
    return all;
  }

 private:
  std::shared_ptr<TestRequest> request_;
  std::shared_ptr<TestWaker> waker_ = std::make_shared<TestWaker>();
  Response response_;
  bool ended_ = false;
};

}  // namespace stele::api::test
