#pragma once
// Requests that wait until a feed has reached a position: until that is readable, or covered by a checkpoint. They hold
// no thread; their number and their time are bounded.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "api/http/http.h"
#include "engine/feed/durable_feed.h"

namespace stele::api {

/// Thread-safe. Kept alive by its timer as well.
class PositionWaiters : public std::enable_shared_from_this<PositionWaiters> {
 public:
  enum class Outcome { Reached, TimedOut, Closing };
  /// Called once, on the thread that publishes, a timer's, or inside wait() or close(). Must be quick.
  using Callback = std::function<void(Outcome)>;

  /// Both must outlive the last wait.
  [[nodiscard]] static std::shared_ptr<PositionWaiters> attach(DurableFeed& feed, Scheduler& scheduler,
                                                               std::size_t waiters_max);

  /// False, without a call, if too many wait already.
  [[nodiscard]] bool wait(Position position, std::chrono::milliseconds at_most, Callback callback);
  /// Ends all waiting, now and later.
  void close();

 private:
  struct Waiter {
    std::chrono::steady_clock::time_point deadline;
    Callback callback;
  };

  PositionWaiters(DurableFeed& feed, Scheduler& scheduler, std::size_t waiters_max)
      : feed_(feed), scheduler_(scheduler), waiters_max_(waiters_max) {}
  void advance(Position end);
  void sweep();
  void schedule_sweep(std::chrono::milliseconds delay);

  DurableFeed& feed_;
  Scheduler& scheduler_;
  const std::size_t waiters_max_;
  std::mutex mutex_;
  std::multimap<Position, Waiter> waiters_;
  std::atomic<std::size_t> count_{0};  ///< waiters_.size(), so that a commit without waiters costs no lock
  bool sweeping_ = false;              ///< a timer is under way
  bool closed_ = false;
  DurableFeed::Subscription subscription_;  ///< last: nothing calls the rest any more once it is gone
};

}  // namespace stele::api
