#pragma once
// The threads on which subscriptions work: one for what only needs the processor, some for what may wait for reads or
// scripts, one for what is told to the log, so that a subscription that reads old events never holds up one that does
// not, however many there are of the former.

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace stele::api {

enum class DeliveryLane : std::uint8_t {
  Quick,  ///< must not wait for a disk
  Slow,
  Log,  ///< appends to the log
};

/// Thread-safe. Threads are started by the first work.
class DeliveryThreads {
 public:
  static constexpr std::size_t kSlowThreads = 2;

  DeliveryThreads() = default;
  /// stop().
  ~DeliveryThreads() { stop(); }
  DeliveryThreads(const DeliveryThreads&) = delete;

  /// Runs it soon, in the order of the calls in its lane. After stop() it is dropped. Work must not throw; what it
  /// posts to its own lane it posts at its end, since its thread may be the one to go on with that. Throws
  /// std::bad_alloc and std::system_error.
  void post(DeliveryLane lane, std::function<void()> work);
  /// Waits for what runs and drops what waits. Idempotent. Not from within work.
  void stop();

 private:
  struct Queue {
    std::deque<std::function<void()>> work;
    std::condition_variable changed;
    std::size_t idle = 0;
    std::vector<std::thread> threads;
  };
  void run(Queue& queue);

  std::mutex mutex_;
  bool stopping_ = false;
  std::array<Queue, 3> queues_;
};

}  // namespace stele::api
