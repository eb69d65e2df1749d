#pragma once
// Stops what takes too long inside a worker: asks the engine for an interrupt at the limit, and ends the process where
// that does not help, because some functions of the engine never look (String.prototype.indexOf of huge texts).
//
// What counts is the CPU time of the thread that runs scripts, so that a busy machine does not make scripts fail. One
// thread watches another; everything but the constructor is for the watched one, and costs it two stores a call. A
// limit is kept to within some milliseconds.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <functional>
#include <mutex>
#include <thread>

#include "net/worker/worker_protocol.h"

namespace stele::net {

class CallWatch {
 public:
  struct Actions {
    std::function<void()> interrupt;              ///< asks what runs to stop; again and again
    std::function<void(WorkerExit)> before_exit;  ///< it did not: the process ends after this
  };
  /// Watches the thread that constructs it. The actions are called on the watching one.
  explicit CallWatch(Actions actions);
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  /// Between work() and rest() it looks; else it costs nothing.
  void work();
  void rest();

  /// Limits one call: of a script, or of the host on its behalf. `exit` is how the process ends if it does not stop.
  class Limit {
   public:
    Limit(CallWatch& watch, std::chrono::milliseconds time, WorkerExit exit) : watch_(watch) {
      watch.begin(time, exit);
    }
    ~Limit() { watch_.end(); }
    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;

   private:
    CallWatch& watch_;
  };

  /// Whether the call that is under way has passed its limit.
  [[nodiscard]] bool expired() const { return expired_.load() == call_.load(std::memory_order_relaxed); }

 private:
  void begin(std::chrono::milliseconds time, WorkerExit exit) {
    limit_.store(static_cast<std::uint32_t>(time.count()), std::memory_order_relaxed);
    exit_.store(static_cast<int>(exit), std::memory_order_relaxed);
    call_.store(++last_call_, std::memory_order_release);
  }
  void end() { call_.store(kNone, std::memory_order_release); }

  void watch();
  [[nodiscard]] std::chrono::nanoseconds used() const;

  static constexpr std::uint64_t kNone = 0;

  const Actions actions_;
  clockid_t clock_{};
  std::uint64_t last_call_ = kNone;
  std::atomic<std::uint64_t> call_{kNone};
  std::atomic<std::uint32_t> limit_{0};  ///< milliseconds
  std::atomic<int> exit_{0};
  std::atomic<std::uint64_t> expired_{~std::uint64_t{0}};

  std::mutex mutex_;
  std::condition_variable changed_;
  bool working_ = false;
};

}  // namespace stele::net
