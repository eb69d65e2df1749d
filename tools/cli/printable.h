#pragma once
// Stored text on a terminal.

#include <cstddef>
#include <string>
#include <string_view>

namespace stele::tools {

/// `text` with '?' in place of each control character, so that stored data cannot drive the terminal.
[[nodiscard]] std::string printable(std::string_view text);
/// Counted as code points.
[[nodiscard]] std::size_t character_count(std::string_view text);
/// printable(), at most `width` characters: what does not fit is cut with an ellipsis.
[[nodiscard]] std::string cut(std::string_view text, std::size_t width);
/// cut(), and filled with spaces up to `width` characters.
[[nodiscard]] std::string cell(std::string_view text, std::size_t width);

}  // namespace stele::tools
