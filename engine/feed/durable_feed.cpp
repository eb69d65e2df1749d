#include "engine/feed/durable_feed.h"

#include <algorithm>
#include <utility>

namespace stele {

/// Its mutex is held while the listener runs, so that stop() waits for it. The feed's own is not: a listener may be slow to stop.
struct DurableFeed::Subscription::Seat {
  std::mutex mutex;
  Listener listener;  // none: stopped

  [[nodiscard]] bool taken() {
    const std::lock_guard lock(mutex);
    return static_cast<bool>(listener);
  }
};

DurableFeed::Subscription& DurableFeed::Subscription::operator=(Subscription&& other) noexcept {
  stop();
  seat_ = std::move(other.seat_);
  return *this;
}

void DurableFeed::Subscription::stop() {
  const std::shared_ptr<Seat> seat = std::exchange(seat_, nullptr);
  if (!seat) return;
  const std::lock_guard lock(seat->mutex);
  seat->listener = nullptr;
}

Position DurableFeed::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

DurableFeed::Subscription DurableFeed::subscribe(Listener listener) {
  auto seat = std::make_shared<Subscription::Seat>();
  seat->listener = std::move(listener);
  const std::lock_guard lock(mutex_);
  auto seats = std::make_shared<Seats>();
  for (const auto& old : *seats_) {
    if (old->taken()) seats->push_back(old);
  }
  seats->push_back(seat);
  seats_ = std::move(seats);
  return Subscription(std::move(seat));
}

void DurableFeed::publish(Position end) {
  std::shared_ptr<const Seats> seats;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    end_ = end;
    seats = seats_;
    wake = waiting_ > 0;
  }
  if (wake) changed_.notify_all();
  for (const auto& seat : *seats) {
    const std::lock_guard lock(seat->mutex);
    if (seat->listener) seat->listener(end);
  }
}

void DurableFeed::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

std::optional<Position> FeedFollower::wait_beyond(Position seen) {
  std::unique_lock lock(feed_.mutex_);
  ++feed_.waiting_;
  feed_.changed_.wait(lock, [&] { return stopped_ || feed_.closed_ || feed_.end_ > seen; });
  --feed_.waiting_;
  if (stopped_ || feed_.end_ <= seen) return std::nullopt;
  return feed_.end_;
}

void FeedFollower::stop() {
  {
    const std::lock_guard lock(feed_.mutex_);
    stopped_ = true;
  }
  feed_.changed_.notify_all();
}

}  // namespace stele
