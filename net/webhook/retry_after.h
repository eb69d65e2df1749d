#pragma once
// The value of Retry-After (RFC 9110, 10.2.3).

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stele::net {

inline constexpr std::chrono::milliseconds retry_after_max = std::chrono::hours(7 * 24);

/// Seconds, or a date in any of the three forms of HTTP, as a time from `now_seconds` (Unix) on: at least 0, at most
/// retry_after_max. None if it is neither.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                                         std::int64_t now_seconds);

}  // namespace stele::net
