#pragma once
// Reads everything that is stored and not written to any more, again and again at a steady rate, and marks what is
// damaged: a bit that flips in a cold file should be found while there is still a backup of it. Opening a store relies
// on it: it does not read old segments.

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "engine/base/rate_limiter.h"
#include "engine/index/index_set.h"
#include "engine/log/segment.h"

namespace stele {

struct ScrubberOptions {
  FileSystem* file_system;
  std::uint64_t bytes_per_second;  ///< 0 = no thread
};

class Scrubber {
 public:
  /// The functions give what is there at the moment; any thread. The last segment of the list is being written to and
  /// left alone.
  Scrubber(ScrubberOptions options, std::function<std::shared_ptr<const SegmentList>()> segments,
           std::function<std::shared_ptr<const IndexView>()> index);
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;

  /// Begins to work in the background, if there is a rate.
  void start();
  void stop();

  /// Reads everything once. Damage is marked on the segment or run (see their damaged()); false if it was stopped.
  bool pass();

  [[nodiscard]] std::uint64_t passes() const { return passes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void run();
  [[nodiscard]] Status scrub_segment(const Segment& segment);
  [[nodiscard]] bool scrub_run(const IndexRun& run);

  const ScrubberOptions options_;
  const std::function<std::shared_ptr<const SegmentList>()> segments_;
  const std::function<std::shared_ptr<const IndexView>()> index_;
  RateLimiter limiter_;
  std::atomic<std::uint64_t> passes_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::thread thread_;
};

}  // namespace stele
