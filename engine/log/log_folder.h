#pragma once
// Names of the files in the `log` folder of a data folder.

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/ids.h"
#include "engine/base/numbered_file.h"

namespace stele {

inline constexpr std::string_view kSegmentSuffix = ".seg";
/// A segment that is being prepared, or is ready to be begun: never holds a record.
inline constexpr std::string_view kPreparedSuffix = ".prepared";
/// A sealed segment that is being written anew: not yet, or never, in the place of the one with its number.
inline constexpr std::string_view kRewrittenSuffix = ".rewritten";

[[nodiscard]] inline std::string segment_name(SegmentId id, std::string_view suffix = kSegmentSuffix) {
  return numbered_file_name(id.value(), suffix);
}

/// The id if `name` is exactly what segment_name() gives for one.
[[nodiscard]] inline std::optional<SegmentId> parse_segment_name(std::string_view name) {
  const auto number = parse_numbered_file_name(name, kSegmentSuffix);
  return number ? std::optional(SegmentId{*number}) : std::nullopt;
}

}  // namespace stele
