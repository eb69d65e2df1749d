#pragma once
// The threads on which replays run: they take long, so they must not be in the way of reads.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "api/endpoint/call.h"

namespace stele::api {

/// Gives the answer to a call. It is sent when its place is free for others again, so that a client that waits for each
/// answer is never refused for its own last one.
using ReplayWork = std::function<std::variant<Response, Problem>(Call&)>;

class ReplayThreads {
 public:
  /// So many replays at once; `queue_max` more may wait where waiting is wanted. Threads are started as they are
  /// needed.
  ReplayThreads(std::size_t threads, std::size_t queue_max);
  /// stop().
  ~ReplayThreads();
  ReplayThreads(const ReplayThreads&) = delete;

  /// Answers the call with what `work` gives if a thread is free, else with 429.
  void run_now(const std::shared_ptr<Call>& call, ReplayWork work) { run(call, std::move(work), 0); }
  /// The same, but waits for a thread if not too many do.
  void run_soon(const std::shared_ptr<Call>& call, ReplayWork work) { run(call, std::move(work), queue_max_); }

  struct Metrics {
    std::uint64_t running = 0, waiting = 0, refused = 0;
  };
  [[nodiscard]] Metrics metrics() const;

  /// Answers what waits with 503 and waits for what runs, which is abandoned by then. Idempotent.
  void stop();

 private:
  struct Work {
    std::shared_ptr<Call> call;
    ReplayWork run;
  };
  void run(const std::shared_ptr<Call>& call, ReplayWork work, std::size_t waiting_max);
  void work();
  void run(Work& next, bool stopping);

  const std::size_t thread_count_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  std::size_t running_ = 0;
  std::uint64_t refused_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace stele::api
