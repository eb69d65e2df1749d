#pragma once
// Keeps attempts from a receiver that is out of order as a whole, so that a failure of an hour does not use up the
// attempts of every event (circuit breaker; Nygard, "Release It!", 2007).

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "engine/base/ids.h"

namespace stele::api {

/// Closed at first. Opens after some outages in a row; then one attempt is made now and then, and the first that finds
/// the receiver in order closes it. Not thread-safe.
class CircuitBreaker {
 public:
  static constexpr int kOutagesMax = 5;
  static constexpr std::chrono::milliseconds kPauseFirst{1'000};
  static constexpr std::chrono::milliseconds kPauseLast{60'000};

  /// Whether another attempt may begin while `under_way` are.
  [[nodiscard]] bool admits(Timestamp now, std::size_t under_way) const {
    return !is_open() || (under_way == 0 && now >= next_);
  }
  void outage(Timestamp now) {
    // Those that were under way together are one.
    if (is_open() && now < next_) return;
    if (++outages_ < kOutagesMax) return;
    pause_ = outages_ == kOutagesMax ? kPauseFirst : std::min(2 * pause_, kPauseLast);
    next_ = {now.micros + std::chrono::microseconds(pause_).count()};
  }
  /// It has answered, whatever it said.
  void in_order() { outages_ = 0; }

  [[nodiscard]] bool is_open() const { return outages_ >= kOutagesMax; }
  /// When the next attempt is admitted while it is open.
  [[nodiscard]] Timestamp next() const { return next_; }

 private:
  int outages_ = 0;
  std::chrono::milliseconds pause_{0};
  Timestamp next_{};
};

}  // namespace stele::api
