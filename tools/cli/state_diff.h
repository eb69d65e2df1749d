#pragma once
// What differs between two states, for people.

#include <string>
#include <string_view>

namespace stele::tools {

/// Lines `- /path: old`, `+ /path: new`, `~ /path: old -> new`, with paths by RFC 6901; empty if nothing differs.
/// Control characters are shown as '?'. Colours are ANSI escape sequences: red, green, yellow.
[[nodiscard]] std::string state_diff(std::string_view before, std::string_view after, bool colors);

}  // namespace stele::tools
