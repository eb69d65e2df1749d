#pragma once
// RFC 3339 date-times.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/ids.h"

namespace stele::api {

/// Parses `2026-03-01T12:00:00.5+02:00`: any offset, `t` and `z` in either case, up to nine fractional digits, of which
/// those behind the microseconds are dropped. A leap second (23:59:60 UTC on the last day of a month) counts as the
/// last microsecond before midnight, because Unix time has no place for it. Nothing else, and nothing whose UTC year is
/// outside 0000..9999.
[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text);

inline constexpr std::size_t kTimestampBytes = 27;

/// Writes `2026-03-01T10:00:00.500000Z`, always kTimestampBytes characters; times outside the years 0000..9999 are clamped to them.
void write_timestamp(Timestamp time, char* to);
[[nodiscard]] std::string format_timestamp(Timestamp time);

}  // namespace stele::api
