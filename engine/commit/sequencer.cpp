#include "engine/commit/sequencer.h"

namespace stele {

bool LocalSequencer::submit(std::unique_ptr<PendingCommit>& commit) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    const bool full = queue_.size() >= options_.proposals_max ||
                      (!queue_.empty() && queued_bytes_ + commit->bytes > options_.bytes_max);
    if (closed_ || full) return false;
    queued_bytes_ += commit->bytes;
    queue_.push_back(std::move(commit));
    wake = wake_at_ != 0 && queue_.size() >= wake_at_;
    if (wake) wake_at_ = 0;
  }
  if (wake) arrived_.notify_one();
  return true;
}

bool LocalSequencer::take(Batch& to) {
  STELE_CHECK(to.empty());
  std::unique_lock lock(mutex_);
  if (queue_.empty()) {
    if (closed_) return false;
    wake_at_ = 1;
    arrived_.wait(lock, [&] { return !queue_.empty() || closed_; });
  }
  // Waiting for company makes groups larger, and larger groups cost less processor time a commit. One busy client never waits.
  if (usual_batch_ > 1.5 && options_.gather_max.count() > 0) {
    const auto enough = static_cast<std::size_t>(usual_batch_ * 2);
    const auto deadline = std::chrono::steady_clock::now() + options_.gather_max;
    if (queue_.size() < enough) {
      wake_at_ = enough;
      arrived_.wait_until(lock, deadline, [&] { return queue_.size() >= enough || closed_; });
    }
  }
  wake_at_ = 0;
  queue_.swap(to);
  queued_bytes_ = 0;
  const bool closed_now = closed_ && to.empty();
  lock.unlock();
  if (closed_now) return false;
  usual_batch_ += (static_cast<double>(to.size()) - usual_batch_) / 8;
  const Timestamp stamp = clock_watch_.now();
  for (const auto& commit : to) commit->stamp = stamp;
  return true;
}

void LocalSequencer::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  arrived_.notify_all();
}

std::uint64_t LocalSequencer::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

}  // namespace stele
