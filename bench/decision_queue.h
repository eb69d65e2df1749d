#pragma once
// Decisions on their way back from the committer's thread to whoever proposed them.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "engine/commit/proposal.h"

namespace stele::bench {

/// Any thread puts, any thread takes.
class DecisionQueue {
 public:
  void put(Decision decision) {
    {
      const std::lock_guard lock(mutex_);
      decisions_.push_back(std::move(decision));
    }
    filled_.notify_one();
  }
  /// Waits until there is one.
  Decision take() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return !decisions_.empty(); });
    Decision decision = std::move(decisions_.front());
    decisions_.pop_front();
    return decision;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Decision> decisions_;
};

}  // namespace stele::bench
