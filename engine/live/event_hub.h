#pragma once
// Where the log is followed: by streams, subscriptions, the event bus. Each new record is read once and shared by all
// followers that match it. A follower that is behind reads the log by itself, through the index, so that a rare type
// costs little; once it has reached the head, one thread feeds all those that are there.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "engine/index/query.h"
#include "engine/live/event_follower.h"
#include "engine/store/store.h"

namespace stele {

struct EventHubOptions {
  // What is kept for a follower at the head that does not take it. Beyond either bound it is behind, and reads the log
  // again from there: nothing is lost.
  std::size_t queue_events_max = 4096;
  std::size_t queue_bytes_max = 1U << 20;  ///< one record of any size may always wait
};

struct EventHubMetrics {
  std::uint64_t followers = 0;          ///< now
  std::uint64_t followers_at_head = 0;  ///< of those
  std::uint64_t records_read = 0;       ///< at the head, each once for all followers
  std::uint64_t events_queued = 0;      ///< at the head, one for each follower that matches
  std::uint64_t overflows = 0;          ///< how often a follower at the head was too slow
};

/// Thread-safe. Its one thread is started when the first follower reaches the head; while none is there, nothing is
/// read. Followers at the head are found by one term of their queries (aggregate, correlation, tag, event types, user,
/// aggregate types): those that ask for another cost a record nothing, however many there are. The store must outlive
/// it.
class EventHub {
 public:
  explicit EventHub(Store& store, EventHubOptions options = {});
  EventHub(const EventHub&) = delete;
  ~EventHub() { stop(); }

  /// Begins behind `query.after`, or at the beginning of the log. The direction must be Ascending. `wake` tells that
  /// next() has something again after it gave AtHead, or is Over; on the hub's thread or that of stop(), so it must
  /// return at once and call nothing of the follower. It may be called once more than needed.
  [[nodiscard]] std::unique_ptr<EventFollower> follow(EventQuery query, std::function<void()> wake);

  /// All followers are over. Idempotent. Not from within `wake`.
  void stop();

  [[nodiscard]] EventHubMetrics metrics() const;

 private:
  const std::shared_ptr<HubCore> core_;
};

}  // namespace stele
