#pragma once
// The other end of a live stream: asks its body for pieces as net does.

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "api/live/message_framing.h"
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

/// In place of frames: a line for each message, and `close CODE REASON`; what is taken is one message.
class LineFraming final : public MessageFraming {
 public:
  [[nodiscard]] bool is_wanted(const Request& request) const override { return request.has_header("Upgrade"); }
  [[nodiscard]] std::optional<Problem> objection(const Request& /*request*/,
                                                 std::string_view /*protocol*/) const override {
    return std::nullopt;
  }
  [[nodiscard]] Response answer(const Request& /*request*/, std::string_view /*protocol*/,
                                std::unique_ptr<MessageConversation> conversation, std::size_t /*bytes_max*/) override {
    Response response;
    response.upgraded = std::make_unique<Lines>(std::move(conversation));
    return response;
  }

 private:
  class Lines final : public UpgradedStream, private MessageConversation::Sink {
   public:
    explicit Lines(std::unique_ptr<MessageConversation> conversation) : conversation_(std::move(conversation)) {}
    [[nodiscard]] std::string_view protocol() const override { return "lines"; }
    void begin(std::shared_ptr<Waker> waker) override { conversation_->begin(std::move(waker)); }
    Result<PushedBody::Step> next(Occasion occasion, std::string& to) override {
      STELE_ASSIGN(const auto step, conversation_->next(occasion, *this));
      to += std::exchange(text_, {});
      if (closed_) return PushedBody::Step::End;
      return step == MessageConversation::Step::More ? PushedBody::Step::More : PushedBody::Step::Wait;
    }
    [[nodiscard]] bool may_block() const override { return conversation_->may_block(); }
    [[nodiscard]] std::chrono::milliseconds quiet_max() const override { return conversation_->quiet_max(); }
    Result<std::size_t> take(std::string_view bytes) override {
      conversation_->take(bytes, *this);
      return bytes.size();
    }

   private:
    void message(std::string_view text) override { text_.append(text).append("\n"); }
    [[nodiscard]] std::size_t bytes() const override { return text_.size(); }
    void close(MessageClose close) override {
      text_ += "close " + std::to_string(close.code) + " " + std::string(close.reason) + "\n";
      closed_ = true;
    }

    const std::unique_ptr<MessageConversation> conversation_;
    std::string text_;
    bool closed_ = false;
  };
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

  /// Until it has something to say, which it keeps.
  void wait_woken() { waker_->wait(); }
  /// Of an upgraded one.
  void send(std::string_view message) { REQUIRE(response_.upgraded->take(message)); }

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
