#pragma once
// Durations as people write them: `500ms`, `2s`, `1.5h`.

#include <chrono>
#include <optional>
#include <string_view>

namespace stele::api {

/// A number with us, ms, s, min, m, h or d; `0` needs no unit. None for anything else, for fractions of a microsecond
/// and beyond 10 years.
[[nodiscard]] std::optional<std::chrono::microseconds> parse_duration(std::string_view text);

}  // namespace stele::api
