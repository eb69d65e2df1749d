#pragma once
// What tests need to follow a log.

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "engine/live/event_hub.h"

namespace stele::test {

/// Is rung by a hub and waited for by a test.
class WakeBell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    ++rings_;
    changed_.notify_all();
  }
  /// Waits for a ring that was not waited for yet; false if none comes.
  [[nodiscard]] bool wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return rings_ > heard_; })) return false;
    heard_ = rings_;
    return true;
  }
  [[nodiscard]] std::uint64_t rings() {
    const std::lock_guard lock(mutex_);
    return rings_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t rings_ = 0, heard_ = 0;
};

/// Takes what there is until the head, or until it is over; gives the positions.
inline std::vector<std::uint64_t> take_all(EventFollower& follower) {
  std::vector<std::uint64_t> taken;
  for (std::shared_ptr<const Record> record;;) {
    const auto step = follower.next(record, nullptr);
    REQUIRE_MESSAGE(step, step.error().describe());
    if (*step != EventFollower::Step::Event) return taken;
    taken.push_back(record->header().position.value());
  }
}

/// Takes until it has `count`, waiting for them.
inline std::vector<std::uint64_t> take(EventFollower& follower, WakeBell& bell, std::size_t count) {
  std::vector<std::uint64_t> taken;
  for (std::shared_ptr<const Record> record; taken.size() < count;) {
    const auto step = follower.next(record, nullptr);
    REQUIRE_MESSAGE(step, step.error().describe());
    REQUIRE(*step != EventFollower::Step::Over);
    if (*step == EventFollower::Step::Event) taken.push_back(record->header().position.value());
    if (*step == EventFollower::Step::AtHead) REQUIRE(bell.wait());
  }
  return taken;
}

}  // namespace stele::test
