#pragma once
// Notices a wall clock that jumps ahead: every later record would carry that time for ever, because times never
// decrease.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/clock.h"

namespace stele {

/// Compares how far the wall clock went with the clock that cannot jump. One thread takes stamps, any thread asks.
class ClockWatch {
 public:
  ClockWatch(const Clock& clock, bool accept_jumps)
      : clock_(clock), accept_jumps_(accept_jumps), last_lead_(lead(clock.now())), highest_lead_(last_lead_) {}

  /// The time to give to what comes next; none while the clock is more than a day ahead of where it can be, which
  /// passes by itself when the clock is back.
  [[nodiscard]] std::optional<Timestamp> stamp() {
    const Timestamp wall = clock_.now();
    const std::int64_t now = lead(wall);
    const std::int64_t highest = highest_lead_.load(std::memory_order_relaxed);
    if (is_refused(now - highest)) return std::nullopt;
    if (now - last_lead_ > kAlarmMicros) jump_micros_.store(now - last_lead_, std::memory_order_relaxed);
    last_lead_ = now;
    // Never lower: a clock that was set back, and is then set right, has not jumped.
    if (now > highest) highest_lead_.store(now, std::memory_order_relaxed);
    return wall;
  }

  /// Why stamp() gives none now; empty if it does.
  [[nodiscard]] std::string refusal() const {
    const std::int64_t ahead = lead(clock_.now()) - highest_lead_.load(std::memory_order_relaxed);
    if (!is_refused(ahead)) return {};
    return "the system clock jumped ahead by " + std::to_string(ahead / kRefusedMicros) +
           (ahead / kRefusedMicros == 1 ? " day" : " days") + "; appending goes on when it is back";
  }

  /// The latest jump of a clock that was believed, empty if there was none.
  [[nodiscard]] std::string alarm() const {
    const std::int64_t jump = jump_micros_.load(std::memory_order_relaxed);
    if (jump == 0) return {};
    return "the system clock jumped ahead by " + std::to_string(jump / 1'000'000) + " s";
  }

  static constexpr std::int64_t kAlarmMicros = 10'000'000;
  static constexpr std::int64_t kRefusedMicros = 86'400'000'000;

 private:
  /// Of the wall clock over the one that cannot jump: constant, as long as the wall clock does not jump either.
  [[nodiscard]] std::int64_t lead(Timestamp wall) const { return wall.micros - clock_.monotonic_micros(); }
  [[nodiscard]] bool is_refused(std::int64_t ahead) const { return !accept_jumps_ && ahead > kRefusedMicros; }

  const Clock& clock_;
  const bool accept_jumps_;
  std::int64_t last_lead_;
  std::atomic<std::int64_t> highest_lead_;  // of those that were believed
  std::atomic<std::int64_t> jump_micros_{0};
};

}  // namespace stele
