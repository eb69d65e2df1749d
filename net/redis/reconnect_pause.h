#pragma once
// How long a client that has lost its server waits before it tries again.

#include <algorithm>
#include <chrono>
#include <ratio>

namespace stele::net {

/// Each pause is up to twice as long as the one before, up to a bound; where in the upper half of that it lies is left
/// to chance, so that many clients do not come back together.
class ReconnectPause {
 public:
  using Clock = std::chrono::steady_clock;

  ReconnectPause(std::chrono::milliseconds first, std::chrono::milliseconds last)
      : first_(first), last_(last), longest_(first) {}

  void connected(Clock::time_point now) { connected_at_ = now; }
  /// The connection that there was has ended. One that lets in and throws out again is not asked more and more often.
  void lost(Clock::time_point now) {
    if (now - connected_at_ > last_) longest_ = first_;
  }
  /// How long to wait now; `chance` is from 0 to 1.
  [[nodiscard]] std::chrono::milliseconds next(double chance) {
    const auto half = std::chrono::duration<double, std::milli>(longest_) / 2;
    longest_ = std::min(longest_ * 2, last_);
    return std::chrono::round<std::chrono::milliseconds>(half + half * chance);
  }

 private:
  const std::chrono::milliseconds first_, last_;
  std::chrono::milliseconds longest_;
  Clock::time_point connected_at_{};
};

}  // namespace stele::net
