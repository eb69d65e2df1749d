#pragma once
// Bytes as lower-case hex digits, and what a hex digit is worth.

#include <string>
#include <string_view>

namespace stele::api {

inline void append_hex(std::string& to, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes) {
    to += kDigits[static_cast<unsigned char>(c) >> 4];
    to += kDigits[static_cast<unsigned char>(c) & 15U];
  }
}

[[nodiscard]] inline std::string hex(std::string_view bytes) {
  std::string text;
  append_hex(text, bytes);
  return text;
}

/// Of a digit of either case; -1 of anything else.
[[nodiscard]] constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace stele::api
