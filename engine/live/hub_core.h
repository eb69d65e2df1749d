#pragma once
// The hub's own half of it: the thread that reads what is new, and who is at the head. Kept alive by the followers, so
// that they may outlive the hub.

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <unordered_set>

#include "engine/base/mutex.h"
#include "engine/live/event_hub.h"
#include "engine/live/follower_index.h"

namespace stele {

/// Thread-safe.
class HubCore {
 public:
  HubCore(Store& store, EventHubOptions options);

  void add(const std::shared_ptr<FollowerSeat>& seat);
  /// Once it has returned, nothing of the hub touches the seat any more, but for a ring() that is on its way.
  void remove(const std::shared_ptr<FollowerSeat>& seat);
  /// The follower's queue gets what comes from its `examined` on. False if it must read more before: it is behind what
  /// the hub has read, or far from the end. Not if it is there already. Throws std::bad_alloc, also for want of a
  /// thread.
  [[nodiscard]] bool try_join_head(const std::shared_ptr<FollowerSeat>& seat);

  void stop();
  [[nodiscard]] bool is_over() const { return over_.load(std::memory_order_acquire); }

  [[nodiscard]] Store& store() const { return store_; }
  /// What the followers at the head have been given everything before. Never decreases.
  [[nodiscard]] Position end() const { return Position{end_.load(std::memory_order_acquire)}; }
  [[nodiscard]] EventHubMetrics metrics() const;

 private:
  using Seats = FollowerIndex::Seats;

  void start_thread() REQUIRES(mutex_);
  void run();
  /// Until `end`, or until nobody is at the head. Throws for want of memory only, and between two records.
  void read_until(Position end);
  [[nodiscard]] bool has_room(const FollowerSeat& seat, std::size_t bytes) const REQUIRES(seat.mutex);
  /// Gives the record to whoever matches it. Those that are to be woken are added to `to_wake`.
  void hand_out(std::unique_ptr<Record>& record, Seats& to_wake) REQUIRES(mutex_);
  /// What comes cannot be read, or there is no memory for it: each follower that it may concern shall find out by
  /// itself. Takes no memory.
  void send_all_behind() REQUIRES(mutex_);
  void end_for_all();

  Store& store_;
  const EventHubOptions options_;
  FeedFollower feed_;

  mutable Mutex mutex_;
  ConditionVariable changed_;  // somebody is at the head, or it is over
  FollowerIndex at_head_ GUARDED_BY(mutex_);
  std::unordered_set<std::shared_ptr<FollowerSeat>> all_ GUARDED_BY(mutex_);
  std::thread thread_ GUARDED_BY(mutex_);
  Seats matching_ GUARDED_BY(mutex_);  // kept for its memory
  std::atomic<std::uint64_t> end_{0};  // written with the mutex held
  std::atomic<bool> over_{false};      // the same
  std::atomic<std::uint64_t> records_read_{0}, events_queued_{0}, overflows_{0};
};

}  // namespace stele
