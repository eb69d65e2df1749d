#pragma once
// Base64 (RFC 4648): the URL alphabet without padding for cursors, the standard one with padding for hashes and
// secrets.

#include <optional>
#include <string>
#include <string_view>

namespace stele {

[[nodiscard]] std::string base64url_encode(std::string_view bytes);
/// None for anything base64url_encode() does not produce.
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);

[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// None for anything base64_encode() does not produce.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace stele
