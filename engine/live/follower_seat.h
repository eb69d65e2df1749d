#pragma once
// What hub and follower share of one follower.

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "engine/base/mutex.h"
#include "engine/index/query.h"
#include "engine/log/record.h"

namespace stele {

struct FollowerSeat {
  FollowerSeat(EventQuery of, std::function<void()> waker)
      : query(std::move(of)), examined(query.after ? query.after->next() : Position{0}), wake(std::move(waker)) {}

  void give_out(const Record& record) REQUIRES(mutex) {
    examined = std::max(examined, record.header().position.next());
  }
  void ring() {
    const MutexLock lock(wake_mutex);
    if (wake) wake();
  }

  const EventQuery query;

  Mutex mutex;  // taken after the hub's
  bool at_head GUARDED_BY(mutex) = false;
  /// Every match before it was given out, or is in the queue or the piece. At the head the hub may be farther.
  Position examined GUARDED_BY(mutex);
  std::deque<std::shared_ptr<const Record>> queue GUARDED_BY(mutex);
  std::size_t queue_bytes GUARDED_BY(mutex) = 0;
  bool waits GUARDED_BY(mutex) = false;       // was told that there is nothing more
  bool overflowed GUARDED_BY(mutex) = false;  // since it was at the head

  Mutex wake_mutex;  // held while `wake` runs, so that the end of the follower waits for it
  std::function<void()> wake GUARDED_BY(wake_mutex);
};

/// What a record takes in memory, about.
[[nodiscard]] inline std::size_t memory_bytes(const Record& record) {
  const auto size = [](const std::optional<std::string_view>& member) { return member ? member->size() : 0; };
  const RecordBody& body = record.body();
  return sizeof(Record) + record.header_bytes().size() + size(body.data) + size(body.metadata) +
         size(body.private_fields);
}

}  // namespace stele
