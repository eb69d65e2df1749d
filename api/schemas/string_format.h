#pragma once
// The values of `format` that are asserted: each a scanner that takes time linear in the text and no memory.

#include <optional>
#include <string_view>

namespace stele::api {

using FormatScanner = bool (*)(std::string_view text);

/// Null for a format that is not asserted, among them idn-hostname, whose rules are tables that change from year to
/// year.
[[nodiscard]] FormatScanner find_format(std::string_view name);

[[nodiscard]] bool is_date(std::string_view text);       ///< RFC 3339 full-date
[[nodiscard]] bool is_time(std::string_view text);       ///< RFC 3339 full-time: with an offset, any number of digits
[[nodiscard]] bool is_date_time(std::string_view text);  ///< RFC 3339 date-time; leap seconds where UTC has them
[[nodiscard]] bool is_iso_duration(std::string_view text);  ///< RFC 3339, appendix A: no unit is left out in the middle
[[nodiscard]] bool is_email(std::string_view text);         ///< RFC 5321 Mailbox
[[nodiscard]] bool is_idn_email(std::string_view text);     ///< the same, with any character beyond ASCII
[[nodiscard]] bool is_hostname(std::string_view text);      ///< RFC 1123
[[nodiscard]] bool is_ipv4(std::string_view text);          ///< four decimal numbers without leading zeros
[[nodiscard]] bool is_ipv6(std::string_view text);          ///< RFC 4291, without a zone
[[nodiscard]] bool is_uuid(std::string_view text);          ///< RFC 4122
[[nodiscard]] bool is_json_pointer(std::string_view text);  ///< RFC 6901
[[nodiscard]] bool is_relative_json_pointer(std::string_view text);
[[nodiscard]] bool is_uri_template(std::string_view text);  ///< RFC 6570

}  // namespace stele::api
