#include "tools/cli/printable.h"

namespace stele::tools {

namespace {

bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1_control = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1_control) {
      result += '?';
      ++i;
    } else {
      result += byte < 0x20 || byte == 0x7F ? '?' : text[i];
    }
  }
  return result;
}

std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += continues_a_character(c) ? 0 : 1;
  return count;
}

std::string cut(std::string_view text, std::size_t width) {
  std::string result = printable(text);
  if (character_count(result) <= width) return result;
  std::size_t end = 0;
  for (std::size_t left = width > 0 ? width - 1 : 0; left > 0; --left) {
    ++end;
    while (end < result.size() && continues_a_character(result[end])) ++end;
  }
  return result.substr(0, end) + (width > 0 ? "…" : "");
}

std::string cell(std::string_view text, std::size_t width) {
  std::string result = cut(text, width);
  result.append(width - character_count(result), ' ');
  return result;
}

}  // namespace stele::tools
