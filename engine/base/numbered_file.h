#pragma once
// Names of files that are told apart by a number: 16 decimal digits and a suffix.

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace stele {

[[nodiscard]] inline std::string numbered_file_name(std::uint64_t number, std::string_view suffix) {
  char digits[21];
  std::snprintf(digits, sizeof digits, "%016llu", static_cast<unsigned long long>(number));
  return std::string(digits).append(suffix);
}

/// The number if `name` is exactly what numbered_file_name() gives for one.
[[nodiscard]] inline std::optional<std::uint64_t> parse_numbered_file_name(std::string_view name,
                                                                           std::string_view suffix) {
  if (name.size() != 16 + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : name.substr(0, 16)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

}  // namespace stele
