#include "engine/base/histogram.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

namespace stele {

TEST_CASE("Histogram.BoundsAreInclusiveAndTheLastBucketTakesTheRest") {
  static constexpr std::array<std::uint64_t, 3> bounds = {1, 10, 100};
  Histogram histogram(bounds);
  for (const std::uint64_t value : {0, 1, 2, 10, 11, 100, 101, 5000}) histogram.record(value);
  const HistogramCounts counts = histogram.counts();
  CHECK(counts.counts == std::vector<std::uint64_t>{2, 2, 2, 2});
  CHECK(counts.count() == 8);
  CHECK(counts.sum == 5225);
}

TEST_CASE("Histogram.CountsOfSeveralAddUp") {
  Histogram one(kCountBounds), other(kCountBounds);
  one.record(1);
  other.record(1);
  other.record(1'000'000);
  HistogramCounts all = one.counts();
  all.add(other.counts());
  CHECK(all.counts.front() == 2);
  CHECK(all.counts.back() == 1);
  CHECK(all.counts.size() == kCountBounds.size() + 1);
  CHECK(all.sum == 1'000'002);
}

TEST_CASE("Histogram.LosesNothingWhenThreadsRecordAtOnce") {
  Histogram histogram(kDurationBounds);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&histogram, t] {
      for (int i = 0; i < 10'000; ++i) histogram.record(10'000 * (t + 1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const HistogramCounts counts = histogram.counts();
  CHECK(counts.count() == 40'000);
  CHECK(counts.counts[0] == 10'000);
  CHECK(counts.sum == 10'000ULL * 10'000 * (1 + 2 + 3 + 4));
}

TEST_CASE("Histogram.BoundsAscendAndFit") {
  for (const std::span<const std::uint64_t> bounds :
       {std::span<const std::uint64_t>(kDurationBounds), {kCountBounds}}) {
    CHECK(bounds.size() <= Histogram::kBoundsMax);
    CHECK(std::is_sorted(bounds.begin(), bounds.end(), std::less_equal<>()));
  }
}

}  // namespace stele
