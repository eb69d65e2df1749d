#include "net/log/log_escape.h"

#include <cstddef>
#include <cstdint>

namespace stele::net {

namespace {

constexpr char kHex[] = "0123456789abcdef";

struct Decoded {
  std::size_t bytes = 1;
  char32_t code = 0;
  bool valid = false;
};

/// The character that `text`, which is not empty, begins with. Strict: no overlong forms, no surrogates.
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, first, true};
  const std::size_t bytes = first >= 0xF0 && first < 0xF5   ? 4
                            : first >= 0xE0 && first < 0xF0 ? 3
                            : first >= 0xC2 && first < 0xE0 ? 2
                                                            : 0;
  if (bytes == 0 || text.size() < bytes) return {};
  char32_t code = first & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {bytes, code, true};
}

/// Control characters, line separators, and marks that make text look like other text.
bool is_treacherous(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0x61C || c == 0xFEFF;
}

void append_byte(std::string& to, char c) {
  const auto byte = static_cast<unsigned char>(c);
  to += "\\x";
  to += kHex[byte >> 4];
  to += kHex[byte & 15];
}

void append_unit(std::string& to, char32_t unit) {
  to += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) to += kHex[(unit >> shift) & 15];
}

void append_plain(std::string& to, std::string_view text, bool word) {
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
    if (next.code == '\\') {
      to += "\\\\";
    } else if (!next.valid || is_treacherous(next.code) ||
               (word && (next.code == ' ' || next.code == '"' || next.code == 0xA0))) {
      for (const char c : bytes) append_byte(to, c);
    } else {
      to += bytes;
    }
  }
}

}  // namespace

void append_log_text(std::string& to, std::string_view text) { append_plain(to, text, false); }

void append_log_word(std::string& to, std::string_view text) {
  if (text.empty()) {
    to += '-';
  } else {
    append_plain(to, text, true);
  }
}

void append_log_json(std::string& to, std::string_view text) {
  to += '"';
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
    if (!next.valid) {
      to += '\\';  // of the escape sequence
      append_byte(to, bytes[0]);
    } else if (next.code == '"' || next.code == '\\') {
      to += '\\';
      to += bytes;
    } else if (is_treacherous(next.code)) {
      append_unit(to, next.code);  // all of them fit in one
    } else {
      to += bytes;
    }
  }
  to += '"';
}

}  // namespace stele::net
