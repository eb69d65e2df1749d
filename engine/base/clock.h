#pragma once
// The seam for time.

#include <cstdint>

#include "engine/base/ids.h"

namespace stele {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall clock, UTC. May jump either way. Any thread.
  [[nodiscard]] virtual Timestamp now() const = 0;
  /// Microseconds of a clock that never jumps and goes on while the machine is suspended. Any thread.
  [[nodiscard]] virtual std::int64_t monotonic_micros() const = 0;
};

/// The process-wide system clock.
[[nodiscard]] const Clock& system_clock();

}  // namespace stele
