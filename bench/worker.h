#pragma once
// What every part of the load generator shares: a worker is one thread that keeps its connections busy, and a result is
// what it saw.

#include <array>
#include <cstdint>
#include <string>

#include "bench/histogram.h"

namespace stele::bench {

/// Steady-clock nanoseconds.
struct LoadSchedule {
  std::uint64_t measure_from = 0;  ///< what completes before is warm-up
  std::uint64_t end = 0;
};

[[nodiscard]] std::uint64_t steady_nanos();
/// Wall clock, microseconds since 1970.
[[nodiscard]] std::int64_t unix_micros();

/// What one worker saw between measure_from and end. Other protocols than HTTP count success as 200, a refusal as 500.
struct LoadResult {
  Histogram latency;  ///< of successes, from before the first byte is sent until the last is received
  std::array<std::uint64_t, 600> by_status{};
  std::uint64_t socket_errors = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::string first_error;  ///< first refusal or socket error, of the warm-up too
};

/// One thread calls; the result may be read when run() has returned.
class Worker {
 public:
  virtual ~Worker() = default;
  /// Opens all connections; throws std::exception if the first attempt of one fails.
  virtual void connect_all() = 0;
  /// Runs until schedule.end.
  virtual void run(const LoadSchedule& schedule) = 0;
  [[nodiscard]] virtual const LoadResult& result() const = 0;
};

}  // namespace stele::bench
