#pragma once
// Bytes as lower-case hex digits.

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

}  // namespace stele::api
