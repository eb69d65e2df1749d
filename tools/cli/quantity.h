#pragma once
// Sizes and switches as people write them: `256MiB`, `1.5GiB`, `on`; durations: api/json/duration.h.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/json/duration.h"

namespace stele::tools {

/// A number with B, KB, MB, GB, TB (powers of 1000), K, M, G, T, KiB, MiB, GiB or TiB (powers of 1024), in any case; a
/// bare number is bytes. None for anything else, for fractions of a byte and beyond 2^63.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// true, on, yes, 1, false, off, no or 0, in any case.
[[nodiscard]] std::optional<bool> parse_boolean(std::string_view text);

/// The shortest exact form: `256MiB`, `65537` (bytes).
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
using api::format_duration;

/// `12,345` for reading.
[[nodiscard]] std::string with_thousands(std::uint64_t number);

}  // namespace stele::tools
