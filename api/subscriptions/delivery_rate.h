#pragma once
// How many events a second a subscription may be sent.

#include <algorithm>
#include <cstdint>

#include "engine/base/ids.h"

namespace stele::api {

/// A bucket that holds one second's worth of events (token bucket). Not thread-safe.
class DeliveryRate {
 public:
  /// 0 = no limit.
  explicit DeliveryRate(std::uint32_t per_second) : per_second_(per_second), micro_tokens_(kMicros * per_second) {}

  /// How many may be sent now. What was decided before may be more; it is paid for later.
  [[nodiscard]] std::uint64_t available(Timestamp now) {
    if (per_second_ == 0) return UINT64_MAX;
    refill(now);
    return micro_tokens_ < kMicros ? 0 : static_cast<std::uint64_t>(micro_tokens_ / kMicros);
  }
  void spend(std::uint64_t events) {
    if (per_second_ != 0) micro_tokens_ -= static_cast<std::int64_t>(events) * kMicros;
  }
  /// When at least one may be sent, if none may be now.
  [[nodiscard]] Timestamp next(Timestamp now) const {
    if (per_second_ == 0 || micro_tokens_ >= kMicros) return now;
    return {now.micros + (kMicros - micro_tokens_) / per_second_ + 1};
  }

 private:
  static constexpr std::int64_t kMicros = 1'000'000;
  static constexpr std::int64_t kHour = 3'600 * kMicros;  ///< more than any debt takes to pay
  void refill(Timestamp now) {
    const std::int64_t passed = std::clamp<std::int64_t>(now.micros - last_.micros, 0, kHour);
    last_ = now;
    micro_tokens_ = std::min(micro_tokens_ + passed * per_second_, kMicros * per_second_);
  }

  std::int64_t per_second_;
  std::int64_t micro_tokens_;
  Timestamp last_{};
};

}  // namespace stele::api
