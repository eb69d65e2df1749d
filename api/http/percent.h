#pragma once
// Percent-encoding (RFC 3986).

#include <optional>
#include <string>
#include <string_view>

namespace stele::api {

enum class PlusMeans { Plus, Space };

/// Undoes one round of percent-encoding. None if a `%` is not followed by two hex digits or the result is not valid
/// UTF-8.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, PlusMeans plus);

/// `.` and `..` (section 3.3): clients and proxies take them out of a path, encoded or not, so that nothing that a path
/// names may be called so.
[[nodiscard]] constexpr bool is_dot_segment(std::string_view segment) { return segment == "." || segment == ".."; }

/// Encodes all but the unreserved characters, so that the result can stand in a path segment or a query.
void append_percent_encoded(std::string& to, std::string_view text);

}  // namespace stele::api
