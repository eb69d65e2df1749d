#pragma once
// Strings of valid JSON text, decoded.

#include <cstdint>
#include <string>
#include <string_view>

namespace stele::api {

/// `code` is a Unicode scalar value.
void append_utf8(std::string& to, std::uint32_t code);

/// Appends what a JSON string means (RFC 8259, 7); `token` has its quotes. A lone surrogate, which no checked text has,
/// becomes U+FFFD; what is no string gives meaningless text, but never a read outside it.
void append_decoded_string(std::string& to, std::string_view token);

/// Whether two string tokens, quotes included, mean the same text: `"\u0061"` and `"a"` do.
[[nodiscard]] bool same_json_string(std::string_view a, std::string_view b);

}  // namespace stele::api
