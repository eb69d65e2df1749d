#pragma once
// A histogram of durations with a fixed relative error, as HdrHistogram has it: 128 steps per power of two.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace stele::bench {

/// Durations in nanoseconds, up to about 18 minutes (longer ones count as that), each to within 0.8 %. One thread.
class Histogram {
 public:
  void record(std::uint64_t nanos) {
    ++counts_[index_of(std::min(nanos, kNanosMax))];
    ++count_;
    max_ = std::max(max_, nanos);
  }

  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }

  /// The smallest recorded step that at least `fraction` of all values do not exceed; 0 if nothing was recorded.
  [[nodiscard]] std::uint64_t quantile(double fraction) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen != 0 && seen >= wanted) return std::min(upper_edge(i), max_);
    }
    return 0;
  }

 private:
  static constexpr int kStepBits = 7;
  static constexpr std::uint64_t kSteps = 1ULL << kStepBits;
  static constexpr std::uint64_t kNanosMax = (1ULL << 40) - 1;

  static std::size_t index_of(std::uint64_t value) {
    if (value < 2 * kSteps) return value;
    const auto shift = static_cast<std::uint64_t>(std::bit_width(value) - kStepBits - 1);
    return 2 * kSteps + (shift - 1) * kSteps + ((value >> shift) - kSteps);
  }

  static std::uint64_t upper_edge(std::size_t index) {
    if (index < 2 * kSteps) return index;
    const std::uint64_t shift = (index - 2 * kSteps) / kSteps + 1;
    const std::uint64_t step = (index - 2 * kSteps) % kSteps + kSteps;
    return ((step + 1) << shift) - 1;
  }

  std::array<std::uint64_t, 2 * kSteps + (40 - kStepBits - 1) * kSteps> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace stele::bench
