#pragma once
// A thread that does something once an interval, until it is stopped.

#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "engine/base/mutex.h"

namespace stele {

/// start() at most once; stop() by one thread.
class IntervalThread {
 public:
  IntervalThread() = default;
  ~IntervalThread() { stop(); }
  IntervalThread(const IntervalThread&) = delete;

  /// `work` is called when an interval has passed, and again when another one has since it was done, until it says
  /// false. It must not throw.
  void start(std::chrono::milliseconds interval, std::function<bool()> work) {
    thread_ = std::thread([this, interval, work = std::move(work)] {
      while (wait(interval) && work()) {
      }
    });
  }
  /// Waits for what it is at. Idempotent.
  void stop() {
    {
      const MutexLock lock(mutex_);
      stop_ = true;
    }
    stopped_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  /// False once it is stopped.
  [[nodiscard]] bool wait(std::chrono::milliseconds interval) {
    const auto until = std::chrono::steady_clock::now() + interval;
    MutexLock lock(mutex_);
    while (!stop_ && stopped_.wait_until(lock, until)) {
    }
    return !stop_;
  }

  Mutex mutex_;
  ConditionVariable stopped_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace stele
