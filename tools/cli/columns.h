#pragma once
// Small tables for people.

#include <string>
#include <vector>

namespace stele::tools {

/// Lines of cells, each column as wide as its widest cell; the first line is the heading. Control characters are shown
/// as '?'. Ends with a line feed.
[[nodiscard]] std::string columns(const std::vector<std::vector<std::string>>& lines);

}  // namespace stele::tools
