#include "engine/commit/sequencer.h"

#include <algorithm>

namespace stele {

Submitted LocalSequencer::submit(std::unique_ptr<PendingCommit>& commit) {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    const std::uint64_t bytes = commit->bytes + commit->condition_bytes;
    const bool full =
        queue_.size() >= options_.proposals_max || (!queue_.empty() && queued_bytes_ + bytes > options_.bytes_max);
    if (closed_) return Submitted::Closed;
    if (full) return Submitted::QueueFull;
    queued_bytes_ += bytes;
    queue_.push_back(std::move(commit));
    wake = wake_at_ != 0 && queue_.size() >= wake_at_;
    if (wake) wake_at_ = 0;
  }
  if (wake) arrived_.notify_one();
  return Submitted::Yes;
}

bool LocalSequencer::take(Batch& to, TakeMode mode) {
  STELE_CHECK(to.empty());
  MutexLock lock(mutex_);
  if (mode == TakeMode::Busy) {
    const auto enough = static_cast<std::size_t>(std::max(usual_batch_ / 2, 1.0));
    if (queue_.size() < enough && !interrupted_ && !closed_) {
      wake_at_ = enough;
      while (queue_.size() < enough && !interrupted_ && !closed_) arrived_.wait(lock);
    }
  } else {
    if (queue_.empty() && !interrupted_ && !closed_) {
      wake_at_ = 1;
      while (queue_.empty() && !interrupted_ && !closed_) arrived_.wait(lock);
    }
    // Waiting for company makes groups larger, and larger groups cost less processor time a commit. One busy client
    // never waits.
    const auto enough = static_cast<std::size_t>(usual_batch_ * 2);
    if (usual_batch_ > 1.5 && !queue_.empty() && options_.group_commit_delay.count() > 0 && queue_.size() < enough &&
        !closed_) {
      const auto deadline = std::chrono::steady_clock::now() + options_.group_commit_delay;
      wake_at_ = enough;
      while (queue_.size() < enough && !closed_ && arrived_.wait_until(lock, deadline)) {
      }
    }
  }
  const bool complete = mode == TakeMode::Idle || interrupted_;
  interrupted_ = false;
  wake_at_ = 0;
  queue_.swap(to);
  queued_bytes_ = 0;
  const bool at_end = closed_ && to.empty();
  lock.unlock();
  if (at_end) return false;
  gathered_ += to.size();
  if (complete) {
    if (gathered_ > 0) usual_batch_ += (static_cast<double>(gathered_) - usual_batch_) / 8;
    gathered_ = 0;
  }
  const std::optional<Timestamp> stamp = clock_watch_.stamp();
  for (const auto& commit : to) commit->stamp = stamp;
  return true;
}

void LocalSequencer::interrupt() {
  {
    const MutexLock lock(mutex_);
    interrupted_ = true;
  }
  arrived_.notify_one();
}

void LocalSequencer::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  arrived_.notify_all();
}

std::uint64_t LocalSequencer::waiting() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

}  // namespace stele
