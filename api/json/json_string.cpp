#include "api/json/json_string.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

namespace stele::api {

void append_utf8(std::string& to, std::uint32_t code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xC0 | code >> 6);
    to += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    to += static_cast<char>(0xE0 | code >> 12);
    to += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    to += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    to += static_cast<char>(0xF0 | code >> 18);
    to += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    to += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    to += static_cast<char>(0x80 | (code & 0x3F));
  }
}

namespace {

/// The four digits behind `\u`, which are taken off `text`.
std::uint32_t take_hex4(std::string_view& text) {
  const std::size_t size = std::min<std::size_t>(4, text.size());
  std::uint32_t code = 0;
  std::from_chars(text.data(), text.data() + size, code, 16);
  text.remove_prefix(size);
  return code;
}

/// `text` begins behind `\u`.
void append_unicode_escape(std::string& to, std::string_view& text) {
  std::uint32_t code = take_hex4(text);
  if (code >= 0xD800 && code < 0xE000) {
    std::uint32_t low = 0;
    std::string_view behind = text;
    if (code < 0xDC00 && behind.starts_with("\\u")) {
      behind.remove_prefix(2);
      low = take_hex4(behind);
    }
    if (low >= 0xDC00 && low < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      text = behind;
    } else {
      code = 0xFFFD;
    }
  }
  append_utf8(to, code);
}

}  // namespace

void append_decoded_string(std::string& to, std::string_view token) {
  if (token.starts_with('"')) token.remove_prefix(1);
  if (token.ends_with('"')) token.remove_suffix(1);
  while (!token.empty()) {
    const std::size_t plain = std::min(token.find('\\'), token.size());
    to += token.substr(0, plain);
    token.remove_prefix(plain);
    if (token.size() < 2) return;
    const char escape = token[1];
    token.remove_prefix(2);
    if (escape == 'u') {
      append_unicode_escape(to, token);
      continue;
    }
    constexpr std::string_view kEscapes = "bfnrt";
    constexpr std::string_view kMeanings = "\b\f\n\r\t";
    const std::size_t which = kEscapes.find(escape);
    to += which == std::string_view::npos ? escape : kMeanings[which];
  }
}

bool same_json_string(std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (a.find('\\') == std::string_view::npos && b.find('\\') == std::string_view::npos) return false;
  std::string decoded_a;
  std::string decoded_b;
  append_decoded_string(decoded_a, a);
  append_decoded_string(decoded_b, b);
  return decoded_a == decoded_b;
}

}  // namespace stele::api
