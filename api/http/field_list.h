#pragma once
// The lists that header fields hold (RFC 9110, 5.6): parts, parameters and qualities.

#include <string_view>

namespace stele::api {

/// Without the blanks around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Takes what stands before `separator` off the front; quoted strings are not looked into.
[[nodiscard]] std::string_view take_part(std::string_view& text, char separator);

/// Compares ASCII without regard to case; `lower` is in lower case.
[[nodiscard]] bool same_token(std::string_view text, std::string_view lower);

/// The quality among the parameters behind an item, in thousandths; 1000 if there is none, or a malformed one, as
/// lenient servers do.
[[nodiscard]] int quality_of(std::string_view parameters);

}  // namespace stele::api
