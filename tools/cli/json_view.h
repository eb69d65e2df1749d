#pragma once
// JSON for people to read.

#include <string>
#include <string_view>

namespace stele::tools {

/// Valid JSON over several lines, two spaces a level; empty arrays and objects stay on theirs. Names, strings and
/// numbers as they are written, but for control characters (C1, DEL), which become '?'. Ends without a line feed.
[[nodiscard]] std::string indented_json(std::string_view json);

}  // namespace stele::tools
