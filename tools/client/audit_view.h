#pragma once
// Records of the audit trail for people.

#include <cstddef>
#include <string>
#include <string_view>

namespace stele::tools {

[[nodiscard]] std::string audit_heading();
/// One record (a JSON object as the API shows it) as one line of at most `columns` characters. Control characters
/// become
/// '?'.
[[nodiscard]] std::string audit_row(std::string_view record_json, std::size_t columns);

}  // namespace stele::tools
