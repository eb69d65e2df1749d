#include "engine/feed/durable_feed.h"

#include <atomic>
#include <utility>

namespace stele {

/// Its mutex is held while the listener runs, so that stop() waits for it. Whoever holds the feed's must not wait for
/// it: the listener may ask the feed.
struct DurableFeed::Subscription::Seat {
  explicit Seat(Listener of) : listener(std::move(of)) {}
  Mutex mutex;
  Listener listener GUARDED_BY(mutex);  // none: stopped
  std::atomic<bool> stopped{false};
};

DurableFeed::Subscription& DurableFeed::Subscription::operator=(Subscription&& other) noexcept {
  stop();
  seat_ = std::move(other.seat_);
  return *this;
}

void DurableFeed::Subscription::stop() {
  const std::shared_ptr<Seat> seat = std::exchange(seat_, nullptr);
  if (!seat) return;
  seat->stopped = true;
  const MutexLock lock(seat->mutex);
  seat->listener = nullptr;
}

Position DurableFeed::end() const {
  const MutexLock lock(mutex_);
  return end_;
}

DurableFeed::Subscription DurableFeed::subscribe(Listener listener) {
  auto seat = std::make_shared<Subscription::Seat>(std::move(listener));
  const MutexLock lock(mutex_);
  auto seats = std::make_shared<Seats>();
  for (const auto& old : *seats_) {
    if (!old->stopped) seats->push_back(old);
  }
  seats->push_back(seat);
  seats_ = std::move(seats);
  return Subscription(std::move(seat));
}

void DurableFeed::publish(Position end) {
  std::shared_ptr<const Seats> seats;
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    end_ = end;
    seats = seats_;
    wake = waiting_ > 0;
  }
  if (wake) changed_.notify_all();
  for (const auto& seat : *seats) {
    const MutexLock lock(seat->mutex);
    if (seat->listener) seat->listener(end);
  }
}

void DurableFeed::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

std::optional<Position> FeedFollower::wait_beyond(Position seen) {
  MutexLock lock(feed_.mutex_);
  ++feed_.waiting_;
  while (!stopped_ && !feed_.closed_ && feed_.end_ <= seen) feed_.changed_.wait(lock);
  --feed_.waiting_;
  if (stopped_ || feed_.end_ <= seen) return std::nullopt;
  return feed_.end_;
}

void FeedFollower::stop() {
  {
    const MutexLock lock(feed_.mutex_);
    stopped_ = true;
  }
  feed_.changed_.notify_all();
}

}  // namespace stele
