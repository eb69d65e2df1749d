#pragma once
// All places that checkpoints are written to. Each has a thread and a queue of its own, so that none holds up anything.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/audit/anchor.h"
#include "api/endpoint/subject_report.h"

namespace stele::api {

class Anchors {
 public:
  /// Without threads it is work() that writes.
  Anchors(std::vector<std::unique_ptr<Anchor>> anchors, bool in_background);
  ~Anchors();
  Anchors(const Anchors&) = delete;

  [[nodiscard]] bool empty() const { return lanes_.empty(); }
  /// To be written to each; what waits longest gives way where too much waits. Any thread, never waits.
  void offer(const AnchoredNote& note);
  /// Writes what waits, as far as that goes. Without threads only.
  void work();
  /// Ends the threads; what still waits is lost to the anchors. Idempotent.
  void stop();

  [[nodiscard]] SubjectReport report() const;

 private:
  struct Lane {
    std::unique_ptr<Anchor> anchor;
    std::deque<AnchoredNote> waiting;
    std::uint64_t size = 0;  ///< of the last one written
    std::uint64_t written = 0;
    std::uint64_t failures = 0;
    std::uint64_t dropped = 0;
    std::string trouble;
    std::thread thread;
  };

  void run(Lane& lane);
  /// The one that waits longest; false if that failed, or there is none. `lock` is let go meanwhile.
  bool write_one(Lane& lane, std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace stele::api
