#pragma once
// A live stream as Server-Sent Events (WHATWG HTML, "Server-sent events").

#include <chrono>
#include <memory>
#include <string>

#include "api/http/pushed_body.h"
#include "api/live/live_feed.h"

namespace stele::api {

/// Each event is a message whose `id` is its position. A bare `id` tells how far the log was examined without a match,
/// so that a client that comes back misses nothing and has little read again.
class EventSource final : public PushedBody {
 public:
  EventSource(std::unique_ptr<LiveFeed> feed, std::chrono::milliseconds checkpoint_interval);

  void begin(std::shared_ptr<Waker> waker) override { feed_->begin(std::move(waker)); }
  [[nodiscard]] Result<Step> next(Occasion occasion, std::string& to) override;
  [[nodiscard]] bool may_block() const override { return feed_->may_block(); }
  [[nodiscard]] std::chrono::milliseconds quiet_max() const override { return checkpoint_interval_; }

 private:
  [[nodiscard]] Result<Step> append_events(std::string& to);
  void append_checkpoint(std::string& to);

  const std::unique_ptr<LiveFeed> feed_;
  const std::chrono::milliseconds checkpoint_interval_;
  std::chrono::steady_clock::time_point said_;  ///< when something was said last
};

}  // namespace stele::api
