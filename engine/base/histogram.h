#pragma once
// Counts values in buckets with fixed upper bounds, for whoever watches the process. Recording takes no lock and no
// memory, so that it may stand on the hottest path: two relaxed additions to memory that hardly any other thread writes
// to.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace stele {

/// Nanoseconds: 10 µs .. 10 s.
inline constexpr std::array<std::uint64_t, 19> kDurationBounds = {
    10'000,      25'000,        50'000,        100'000,       250'000,       500'000,     1'000'000,
    2'500'000,   5'000'000,     10'000'000,    25'000'000,    50'000'000,    100'000'000, 250'000'000,
    500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};
/// Numbers of things: 1 .. 16,384.
inline constexpr std::array<std::uint64_t, 15> kCountBounds = {1,   2,   4,    8,    16,   32,   64,    128,
                                                               256, 512, 1024, 2048, 4096, 8192, 16'384};

/// What a histogram held at a moment. Values recorded meanwhile may be in `sum` and not yet in `counts`, or the other
/// way round.
struct HistogramCounts {
  std::span<const std::uint64_t> bounds;  ///< static storage
  std::vector<std::uint64_t>
      counts;             ///< one a bound, of the values above the bound before and up to it; then those above all
  std::uint64_t sum = 0;  ///< of all values

  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t each : counts) all += each;
    return all;
  }
  /// Adds what another histogram with the same bounds held.
  void add(const HistogramCounts& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum += other.sum;
  }
};

/// Any thread records and reads.
class Histogram {
 public:
  static constexpr std::size_t kBoundsMax = 20;

  /// `bounds` ascend, are inclusive, at most kBoundsMax and in static storage.
  explicit Histogram(std::span<const std::uint64_t> bounds) : bounds_(bounds) {}

  void record(std::uint64_t value) noexcept {
    const auto bucket =
        static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  [[nodiscard]] HistogramCounts counts() const {
    HistogramCounts now{bounds_, {}, sum_.load(std::memory_order_relaxed)};
    for (std::size_t i = 0; i <= bounds_.size(); ++i) now.counts.push_back(counts_[i].load(std::memory_order_relaxed));
    return now;
  }

 private:
  const std::span<const std::uint64_t> bounds_;
  std::array<std::atomic<std::uint64_t>, kBoundsMax + 1> counts_{};
  std::atomic<std::uint64_t> sum_{0};
};

/// Nanoseconds of a clock that never jumps, to measure with; nothing may depend on them.
[[nodiscard]] inline std::int64_t nanos_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
/// Nanoseconds since nanos_now() gave `begin`.
[[nodiscard]] inline std::uint64_t nanos_since(std::int64_t begin) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(nanos_now() - begin, 0));
}

}  // namespace stele
