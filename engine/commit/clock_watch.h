#pragma once
// Notices a wall clock that jumps ahead: every later record would carry that time for ever, because times never decrease.

#include <atomic>
#include <cstdint>
#include <string>

#include "engine/base/clock.h"

namespace stele {

/// One thread checks, any thread asks.
class ClockWatch {
 public:
  explicit ClockWatch(const Clock& clock)
      : clock_(clock), last_wall_(clock.now().micros), last_monotonic_(clock.monotonic_micros()) {}

  /// Reads the clock and compares how far it went with the one that cannot jump.
  Timestamp now() {
    const Timestamp wall = clock_.now();
    const std::int64_t monotonic = clock_.monotonic_micros();
    const std::int64_t ahead = (wall.micros - last_wall_) - (monotonic - last_monotonic_);
    if (ahead > kJumpMicros) jump_micros_.store(ahead, std::memory_order_relaxed);
    last_wall_ = wall.micros;
    last_monotonic_ = monotonic;
    return wall;
  }

  [[nodiscard]] std::string alarm() const {
    const std::int64_t jump = jump_micros_.load(std::memory_order_relaxed);
    if (jump == 0) return {};
    return "the system clock jumped ahead by " + std::to_string(jump / 1'000'000) + " s";
  }

  static constexpr std::int64_t kJumpMicros = 10'000'000;

 private:
  const Clock& clock_;
  std::int64_t last_wall_;
  std::int64_t last_monotonic_;
  std::atomic<std::int64_t> jump_micros_{0};
};

}  // namespace stele
