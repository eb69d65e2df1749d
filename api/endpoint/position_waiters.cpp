#include "api/endpoint/position_waiters.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace stele::api {

namespace {

constexpr std::chrono::milliseconds kSweepEvery{50};

}  // namespace

std::shared_ptr<PositionWaiters> PositionWaiters::attach(DurableFeed& feed, Scheduler& scheduler,
                                                         std::size_t waiters_max) {
  std::shared_ptr<PositionWaiters> waiters(new PositionWaiters(feed, scheduler, waiters_max));
  waiters->subscription_ = feed.subscribe([w = waiters.get()](Position end) { w->advance(end); });
  return waiters;
}

bool PositionWaiters::wait(Position position, std::chrono::milliseconds at_most, Callback callback) {
  bool begin_sweeping = false;
  {
    std::unique_lock lock(mutex_);
    if (closed_) {
      lock.unlock();
      callback(Outcome::Closing);
      return true;
    }
    if (waiters_.size() >= waiters_max_) return false;
    waiters_.emplace(position, Waiter{std::chrono::steady_clock::now() + at_most, std::move(callback)});
    count_.store(waiters_.size());
    begin_sweeping = !std::exchange(sweeping_, true);
  }
  if (begin_sweeping) schedule_sweep(std::min(kSweepEvery, at_most));
  // The position may have been reached between the caller's look and our entry.
  advance(feed_.end());
  return true;
}

void PositionWaiters::close() {
  std::multimap<Position, Waiter> ended;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ended.swap(waiters_);
    count_.store(0);
  }
  for (auto& [position, waiter] : ended) waiter.callback(Outcome::Closing);
}

void PositionWaiters::advance(Position end) {
  if (count_.load() == 0) return;
  std::vector<Callback> reached;
  {
    const std::lock_guard lock(mutex_);
    const auto last = waiters_.lower_bound(end);
    for (auto it = waiters_.begin(); it != last; ++it) reached.push_back(std::move(it->second.callback));
    waiters_.erase(waiters_.begin(), last);
    count_.store(waiters_.size());
  }
  for (const Callback& callback : reached) callback(Outcome::Reached);
}

void PositionWaiters::sweep() {
  std::vector<Callback> late;
  bool again = false;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      late.push_back(std::move(it->second.callback));
      it = waiters_.erase(it);
    }
    count_.store(waiters_.size());
    again = sweeping_ = !waiters_.empty();
  }
  if (again) schedule_sweep(kSweepEvery);
  for (const Callback& callback : late) callback(Outcome::TimedOut);
}

void PositionWaiters::schedule_sweep(std::chrono::milliseconds delay) {
  scheduler_.after(std::max(delay, std::chrono::milliseconds{1}), [waiters = shared_from_this()] { waiters->sweep(); });
}

}  // namespace stele::api
