#include "engine/live/hub_core.h"

#include <algorithm>
#include <deque>
#include <new>
#include <system_error>
#include <utility>

namespace stele {

namespace {

/// A follower that is farther from the end reads on through the index, which may skip most of what lies between.
constexpr std::uint64_t kGapMax = 256;

/// False for want of memory.
bool try_push(std::deque<std::shared_ptr<const Record>>& queue, const std::shared_ptr<const Record>& record) {
  try {
    queue.push_back(record);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace

HubCore::HubCore(Store& store, EventHubOptions options) : store_(store), options_(options), feed_(store.feed()) {}

void HubCore::add(const std::shared_ptr<FollowerSeat>& seat) {
  const MutexLock lock(mutex_);
  all_.insert(seat);
}

void HubCore::remove(const std::shared_ptr<FollowerSeat>& seat) {
  const MutexLock lock(mutex_);
  all_.erase(seat);
  const MutexLock seat_lock(seat->mutex);
  if (std::exchange(seat->at_head, false)) at_head_.remove(seat);
}

bool HubCore::try_join_head(const std::shared_ptr<FollowerSeat>& seat) {
  const Position durable = store_.durable_end();
  const MutexLock lock(mutex_);
  const MutexLock seat_lock(seat->mutex);
  if (over_ || (durable > seat->examined && durable.since(seat->examined) > kGapMax)) return false;
  // While nobody is there it may step on, but never back: it is what the thread waits to be passed.
  if (at_head_.empty() && seat->examined > end()) end_ = std::min(seat->examined, durable).value();
  if (seat->examined < end()) return false;
  if (!thread_.joinable()) start_thread();
  at_head_.add(seat);
  seat->at_head = true;
  seat->overflowed = false;
  changed_.notify_one();
  return true;
}

void HubCore::start_thread() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    throw std::bad_alloc();  // who follows gets over want of memory, and tries again
  }
}

void HubCore::stop() {
  end_for_all();
  feed_.stop();
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

void HubCore::end_for_all() {
  const MutexLock lock(mutex_);
  if (over_.exchange(true)) return;
  changed_.notify_one();
  for (const auto& seat : all_) seat->ring();
}

EventHubMetrics HubCore::metrics() const {
  const MutexLock lock(mutex_);
  return {.followers = all_.size(),
          .followers_at_head = at_head_.size(),
          .records_read = records_read_.load(std::memory_order_relaxed),
          .events_queued = events_queued_.load(std::memory_order_relaxed),
          .overflows = overflows_.load(std::memory_order_relaxed)};
}

void HubCore::run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      while (!over_ && at_head_.empty()) changed_.wait(lock);
      if (over_) return;
    }
    const auto end = feed_.wait_beyond(this->end());
    if (!end) return end_for_all();
    try {
      read_until(*end);
    } catch (const std::bad_alloc&) {
      const MutexLock lock(mutex_);
      send_all_behind();
    }
  }
}

void HubCore::read_until(Position end) {
  const auto view = store_.view_until(end);
  auto record = std::make_unique<Record>();
  Seats to_wake;
  for (Position at = this->end(); at < view->end();) {
    const Status read = view->read(at, *record);
    {
      const MutexLock lock(mutex_);
      if (over_ || at_head_.empty()) return;
      if (at != this->end()) {  // all have left meanwhile, and others have come
        at = this->end();
        continue;
      }
      if (read) {
        records_read_.fetch_add(1, std::memory_order_relaxed);
        hand_out(record, to_wake);
      } else {
        send_all_behind();
      }
      at = at.next();
      end_.store(at.value(), std::memory_order_release);
    }
    for (const auto& seat : to_wake) seat->ring();
    to_wake.clear();
  }
}

bool HubCore::has_room(const FollowerSeat& seat, std::size_t bytes) const {
  return seat.queue.empty() ||
         (seat.queue.size() < options_.queue_events_max && seat.queue_bytes + bytes <= options_.queue_bytes_max);
}

void HubCore::hand_out(std::unique_ptr<Record>& record, Seats& to_wake) {
  matching_.clear();
  at_head_.find(record->header(), matching_);
  if (matching_.empty()) return;
  to_wake.reserve(matching_.size());
  auto next = std::make_unique<Record>();
  const std::shared_ptr<const Record> shared = std::move(record);
  record = std::move(next);
  const std::size_t bytes = memory_bytes(*shared);
  for (const auto& seat : matching_) {
    const MutexLock lock(seat->mutex);
    if (shared->header().position < seat->examined) continue;  // it has read ahead of the hub
    if (has_room(*seat, bytes) && try_push(seat->queue, shared)) {
      seat->queue_bytes += bytes;
      events_queued_.fetch_add(1, std::memory_order_relaxed);
      if (std::exchange(seat->waits, false)) to_wake.push_back(seat);
    } else {
      at_head_.remove(seat);
      seat->at_head = false;
      seat->overflowed = true;
      seat->examined = shared->header().position;
      overflows_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  matching_.clear();
}

void HubCore::send_all_behind() {
  at_head_.clear();
  for (const auto& seat : all_) {
    const MutexLock lock(seat->mutex);
    if (!std::exchange(seat->at_head, false)) continue;
    seat->examined = std::max(seat->examined, end());
    if (std::exchange(seat->waits, false)) seat->ring();
  }
}

}  // namespace stele
