#pragma once
// The log lines whose number clients decide.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/log/log_limiter.h"

namespace stele::net {

/// Each has a limit of its own, so that one cannot hide another.
enum class LogCause {
  ConnectionRefused,
  AcceptFailed,
  RequestRefused,  ///< malformed, too large or too slow: before a handler saw it
  AccessDenied,
  RequestFailed,  ///< through an error of ours or of the disk
  AccessLineDropped,
};

/// Thread-safe. What the lines are about is said by a LogContext.
class RateLimitedLog {
 public:
  static constexpr std::uint64_t lines_a_minute = 10;

  /// Writes `message` and `detail` as one, unless it is to be held back.
  void write(LogCause cause, std::int64_t now_ms, std::string_view message, std::string_view detail = {}) noexcept;
  /// Says how many lines were held back, once their minute is over. Call it now and then.
  void summarise(std::int64_t now_ms);
  /// The same at the end, without waiting for it.
  void summarise_all();

 private:
  static constexpr std::size_t causes = 6;
  void tell(std::size_t cause, std::uint64_t held_back);

  LogLimiter limiters_[causes] = {LogLimiter(lines_a_minute), LogLimiter(lines_a_minute), LogLimiter(lines_a_minute),
                                  LogLimiter(lines_a_minute), LogLimiter(lines_a_minute), LogLimiter(lines_a_minute)};
};

}  // namespace stele::net
