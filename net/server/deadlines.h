#pragma once
// How long a client may take to send a body and to read an answer: longer the more of it has come through. Times are
// milliseconds of IoThread::now_ms(); nothing here looks at a clock.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "net/server/server.h"

namespace stele::net {

/// Of a body that began at `began_ms` and of which `received` bytes are there.
[[nodiscard]] inline std::int64_t body_deadline_ms(const HttpLimits& limits, std::int64_t began_ms,
                                                   std::size_t received) {
  const std::uint64_t rate = std::max<std::uint64_t>(limits.body_rate_min, 1);
  const std::int64_t earned = static_cast<std::int64_t>(received * 1000 / rate);
  return began_ms + std::min(limits.body_grace_ms + earned, limits.body_ms);
}

/// Of an answer that the socket did not take at once: write_ms for each window of it.
class WriteDeadline {
 public:
  static constexpr std::size_t window_bytes = 64 * 1024;

  WriteDeadline(const HttpLimits& limits, std::int64_t now_ms)
      : write_ms_(limits.write_ms), at_ms_(now_ms + write_ms_) {}

  void wrote(std::size_t bytes, std::int64_t now_ms) {
    in_window_ += bytes;
    if (in_window_ < window_bytes) return;
    in_window_ = 0;
    at_ms_ = now_ms + write_ms_;
  }
  [[nodiscard]] std::int64_t at_ms() const { return at_ms_; }

 private:
  std::int64_t write_ms_;
  std::int64_t at_ms_;
  std::size_t in_window_ = 0;
};

}  // namespace stele::net
