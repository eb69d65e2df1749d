#pragma once
// Both clocks as a test sets them.

#include <atomic>
#include <cstdint>

#include "engine/base/clock.h"

namespace stele::test {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return Timestamp{wall.load()}; }
  [[nodiscard]] std::int64_t monotonic_micros() const override { return monotonic.load(); }
  std::atomic<std::int64_t> wall{1'900'000'000'000'000};
  std::atomic<std::int64_t> monotonic{5};
};

}  // namespace stele::test
