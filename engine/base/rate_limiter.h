#pragma once
// Slows background work down to so many bytes a second, and lets its owner end it at once.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace stele {

/// Any thread.
class RateLimiter {
 public:
  /// 0 = no limit.
  explicit RateLimiter(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  /// Waits until `bytes` more may be used up; false once stop() was called.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    std::unique_lock lock(mutex_);
    if (stopped_ || bytes_per_second_ == 0) return !stopped_;
    const auto now = std::chrono::steady_clock::now();
    // Time that was not used is lost, so that there are no bursts.
    next_ = std::max(next_, now) + std::chrono::nanoseconds(bytes * 1'000'000'000 / bytes_per_second_);
    return !stop_.wait_until(lock, next_, [&] { return stopped_; });
  }

  /// False once stop() was called.
  [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point time) {
    std::unique_lock lock(mutex_);
    return !stop_.wait_until(lock, time, [&] { return stopped_; });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    stop_.notify_all();
  }

  [[nodiscard]] bool stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  const std::uint64_t bytes_per_second_;
  mutable std::mutex mutex_;
  std::condition_variable stop_;
  std::chrono::steady_clock::time_point next_{};
  bool stopped_ = false;
};

}  // namespace stele
