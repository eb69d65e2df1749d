#pragma once
// Names of the files in the `log` folder of a data folder.

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/ids.h"

namespace stele {

inline constexpr std::string_view kSegmentSuffix = ".seg";
/// A segment that is being prepared, or is ready to be begun: never holds a record.
inline constexpr std::string_view kPreparedSuffix = ".prepared";

[[nodiscard]] inline std::string segment_name(SegmentId id, std::string_view suffix = kSegmentSuffix) {
  char digits[21];
  std::snprintf(digits, sizeof digits, "%016llu", static_cast<unsigned long long>(id.value()));
  return std::string(digits).append(suffix);
}

/// The id if `name` is exactly what segment_name() gives for one.
[[nodiscard]] inline std::optional<SegmentId> parse_segment_name(std::string_view name) {
  if (name.size() != 16 + kSegmentSuffix.size() || !name.ends_with(kSegmentSuffix)) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : name.substr(0, 16)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return SegmentId{value};
}

}  // namespace stele
