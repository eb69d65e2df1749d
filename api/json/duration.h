#pragma once
// Durations as people write them: `500ms`, `2s`, `1.5h`.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace stele::api {

/// A number with us, ms, s, min, m, h or d; `0` needs no unit. None for anything else, for fractions of a microsecond
/// and beyond `most`.
[[nodiscard]] std::optional<std::chrono::microseconds> parse_duration(
    std::string_view text, std::chrono::microseconds most = std::chrono::hours{24 * 3'703});

/// What parse_duration() reads as the same, in the largest unit that needs no fraction: `90d`, `36h`.
[[nodiscard]] std::string format_duration(std::chrono::microseconds duration);

}  // namespace stele::api
