#pragma once
// The threads on which blocking on a cold disk is allowed, and a timer: what api::Scheduler promises.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "api/http/http.h"

namespace stele::net {

class ReadPool final : public api::Scheduler {
 public:
  /// At most `queue_max` pieces of work wait.
  ReadPool(std::size_t threads, std::size_t queue_max);
  /// stop().
  ~ReadPool() override;
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;

  [[nodiscard]] bool run_on_read_pool(std::function<void()> work) override;
  [[nodiscard]] std::size_t reads_waiting() const override;
  void after(std::chrono::milliseconds delay, std::function<void()> work) override;

  /// For the next piece of an answer that has begun and cannot be refused any more; there is at most one a connection,
  /// which bounds them. False only after stop().
  [[nodiscard]] bool run_unrefusable(std::function<void()> work);

  /// Ends the threads after the work they have at hand; what waits is destroyed without being run. Idempotent.
  void stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  void work();
  void keep_time();
  bool push(std::function<void()> work, bool bounded);

  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;

  std::mutex timer_mutex_;
  std::condition_variable timer_changed_;
  std::multimap<Time, std::function<void()>> timers_;
  bool timer_stopping_ = false;

  std::vector<std::thread> threads_;
  std::thread timer_thread_;
};

}  // namespace stele::net
