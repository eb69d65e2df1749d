#pragma once
// Slows background work down to so many bytes a second, and lets its owner end it at once.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "engine/base/mutex.h"

namespace stele {

/// Any thread.
class RateLimiter {
 public:
  /// 0 = no limit.
  explicit RateLimiter(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  /// Waits until `bytes` more may be used up; false once stop() was called.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    MutexLock lock(mutex_);
    if (stopped_ || bytes_per_second_ == 0) return !stopped_;
    const auto now = std::chrono::steady_clock::now();
    // Time that was not used is lost, so that there are no bursts.
    next_ = std::max(next_, now) + std::chrono::nanoseconds(bytes * 1'000'000'000 / bytes_per_second_);
    return sleep_until(lock, next_);
  }

  /// False once stop() was called.
  [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point time) {
    MutexLock lock(mutex_);
    return sleep_until(lock, time);
  }

  void stop() {
    {
      const MutexLock lock(mutex_);
      stopped_ = true;
    }
    stop_.notify_all();
  }

  [[nodiscard]] bool stopped() const {
    const MutexLock lock(mutex_);
    return stopped_;
  }

 private:
  [[nodiscard]] bool sleep_until(MutexLock& lock, std::chrono::steady_clock::time_point time) REQUIRES(mutex_) {
    while (!stopped_ && stop_.wait_until(lock, time)) {
    }
    return !stopped_;
  }

  const std::uint64_t bytes_per_second_;
  mutable Mutex mutex_;
  ConditionVariable stop_;
  std::chrono::steady_clock::time_point next_ GUARDED_BY(mutex_){};
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace stele
