#pragma once
// RFC 3339 date-times.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/ids.h"

namespace stele::api {

/// What becomes of a fraction with seven to nine digits: times here are whole microseconds.
enum class FinerTimes {
  Refuse,   ///< for what is stored, which has to come back as it was sent
  RoundUp,  ///< for a bound that is compared as `>=` or `<`: it selects the same stored times as the exact one would
  Cut,      ///< the same for a bound that is compared as `<=` or `>`
};

/// Parses `2026-03-01T12:00:00.5+02:00`: any offset, `t` and `z` in either case, up to six fractional digits, or nine
/// where `finer` takes them. A leap second (23:59:60 UTC on the last day of a month) counts as the last
/// microsecond before midnight, because Unix time has no place for it. Nothing else, and nothing whose UTC year is
/// outside 0000..9999; a bound behind the last microsecond of 9999 is the one after it.
[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text, FinerTimes finer);

inline constexpr std::size_t kTimestampBytes = 27;

/// Writes `2026-03-01T10:00:00.500000Z`, always kTimestampBytes characters; times outside the years 0000..9999 are
/// clamped to them.
void write_timestamp(Timestamp time, char* to);
[[nodiscard]] std::string format_timestamp(Timestamp time);

}  // namespace stele::api
