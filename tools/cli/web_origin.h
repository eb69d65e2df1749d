#pragma once
// The origin of a web page, as given on the command line.

#include <string>
#include <string_view>

namespace stele::tools {

/// Why no browser ever sends `text` as its Origin, for people; empty if one may. "*" (any origin) is fine, and so is
/// "null".
[[nodiscard]] std::string error_of_origin(std::string_view text);

}  // namespace stele::tools
