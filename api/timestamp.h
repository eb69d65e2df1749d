#pragma once
// RFC 3339 date-times.

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

/// `2026-03-01T10:00:00.500000Z`, always 27 characters for years 0000..9999; times outside are clamped to that range.
void append_timestamp(std::string& to, Timestamp time);
[[nodiscard]] std::string format_timestamp(Timestamp time);

}  // namespace stele::api
