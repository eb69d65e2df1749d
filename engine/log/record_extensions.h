#pragma once
// What the extension areas of events and actions hold: format-spec.md ("Hashed header"). No I/O.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/log/record.h"

namespace stele {

/// Longest resource, `kind:name`, with a name as long as that of an aggregate may be; at least 1.
inline constexpr std::size_t kResourceBytesMax = 319;

/// The extension area that holds `tags`, as TagList has them, and `resource`; empty if there are neither.
[[nodiscard]] std::string encode_extensions(std::span<const std::string> tags,
                                            const std::optional<std::string>& resource = std::nullopt);

/// Sets `header`'s tags and resource from its extensions; false if they are malformed. Of several entries with the same
/// tag the last one counts.
[[nodiscard]] bool read_extensions(RecordHeader& header);

}  // namespace stele
