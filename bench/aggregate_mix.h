#pragma once
// Which aggregate the next event is about, in a store that grows as real ones do: aggregates come to life at an even
// pace from first to last, and the older one is, the more of the other events it gets (Zipf's law with exponent 1).

#include <cmath>
#include <cstdint>

#include "bench/event_pool.h"

namespace stele::bench {

class AggregateMix {
 public:
  /// `events` are shared by `aggregates`, none of which is left without one; events >= aggregates.
  AggregateMix(std::uint64_t events, std::uint64_t aggregates, std::uint64_t seed)
      : events_(events), aggregates_(aggregates), random_(seed) {}

  std::uint64_t next() {
    const auto due = static_cast<std::uint64_t>(static_cast<double>(made_++) / static_cast<double>(events_) *
                                                static_cast<double>(aggregates_));
    if (alive_ < aggregates_ && (due >= alive_ || alive_ == 0)) return scattered(alive_++);
    // exp of an even distribution of logarithms: rank r has a share of 1 / r.
    const auto rank =
        static_cast<std::uint64_t>(std::exp(random_.fraction() * std::log(static_cast<double>(alive_) + 1)));
    return scattered(rank < 1 ? 0 : rank > alive_ ? alive_ - 1 : rank - 1);
  }

 private:
  /// The busiest aggregates must not be neighbours. A prime that does not divide `aggregates_` makes this one-to-one.
  [[nodiscard]] std::uint64_t scattered(std::uint64_t rank) const {
    const std::uint64_t prime = aggregates_ % 15'485'863 == 0 ? 32'452'843 : 15'485'863;
    return rank * prime % aggregates_;
  }

  std::uint64_t events_;
  std::uint64_t aggregates_;
  Random random_;
  std::uint64_t made_ = 0;
  std::uint64_t alive_ = 0;
};

}  // namespace stele::bench
