#pragma once
// Keeps those who cause log lines from filling a disk with them: of each cause, the first lines of a minute are
// written, the rest is counted.

#include <cstdint>
#include <mutex>
#include <utility>

namespace stele::net {

/// Of one cause. Thread-safe. Times in milliseconds of any clock that does not go back.
class LogLimiter {
 public:
  static constexpr std::int64_t window_ms = 60'000;

  explicit LogLimiter(std::uint64_t lines_max) : lines_max_(lines_max) {}

  /// Whether a line may be written now; it is counted as held back if not.
  [[nodiscard]] bool admit(std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    roll(now_ms);
    if (written_ < lines_max_) {
      ++written_;
      return true;
    }
    ++held_back_;
    return false;
  }

  /// How many lines were held back in minutes that have ended; each is told once.
  [[nodiscard]] std::uint64_t take_held_back(std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    roll(now_ms);
    return std::exchange(to_tell_, 0);
  }
  /// The same, of the current minute as well.
  [[nodiscard]] std::uint64_t take_all_held_back() {
    const std::lock_guard lock(mutex_);
    return std::exchange(to_tell_, 0) + std::exchange(held_back_, 0);
  }

 private:
  void roll(std::int64_t now_ms) {
    if (began_ && now_ms - began_ms_ < window_ms) return;
    began_ = true;
    began_ms_ = now_ms;
    to_tell_ += std::exchange(held_back_, 0);
    written_ = 0;
  }

  const std::uint64_t lines_max_;
  std::mutex mutex_;
  bool began_ = false;
  std::int64_t began_ms_ = 0;  ///< of the current minute, which begins with its first line
  std::uint64_t written_ = 0;
  std::uint64_t held_back_ = 0;
  std::uint64_t to_tell_ = 0;
};

}  // namespace stele::net
