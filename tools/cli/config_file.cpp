#include "tools/cli/config_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/json/json_text.h"
#include "engine/base/check.h"

namespace stele::tools {

namespace {

constexpr std::string_view kEscapes = "\\\"nrt";
constexpr std::string_view kMeanings = "\\\"\n\r\t";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

bool is_name(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), plain);
}

/// UTF-8 of a character below U+10000 that is no half of a pair.
void append_character(std::string& to, unsigned code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xC0 | (code >> 6));
    to += static_cast<char>(0x80 | (code & 63));
  } else {
    to += static_cast<char>(0xE0 | (code >> 12));
    to += static_cast<char>(0x80 | ((code >> 6) & 63));
    to += static_cast<char>(0x80 | (code & 63));
  }
}

/// Takes the escape behind a backslash off `text`; false if it is none.
bool take_escape(std::string_view& text, std::string& to) {
  if (text.empty()) return false;
  const char kind = text.front();
  text.remove_prefix(1);
  if (kind != 'u') {
    const std::size_t which = kEscapes.find(kind);
    if (which == std::string_view::npos) return false;
    to += kMeanings[which];
    return true;
  }
  unsigned code = 0;
  const std::string_view digits = text.substr(0, 4);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() < 4 || error != std::errc{} || end != digits.data() + 4) return false;
  if (code == 0 || (code >= 0xD800 && code < 0xE000)) return false;
  append_character(to, code);
  text.remove_prefix(4);
  return true;
}

/// What stands behind the equals sign, or why it can be no value.
std::string read_value(std::string_view text, std::string& to) {
  const char quote = text.empty() ? '\0' : text.front();
  if (quote != '"' && quote != '\'') {
    if (text.find_first_of("#\"") != std::string_view::npos) {
      return "a value with # or \" in it stands in quotes, and a comment on a line of its own";
    }
    to = text;
    return {};
  }
  text.remove_prefix(1);
  for (;;) {
    if (text.empty()) return "the quote is not closed";
    const char c = text.front();
    text.remove_prefix(1);
    if (c == quote) break;
    if (c != '\\' || quote == '\'') {
      to += c;
    } else if (!take_escape(text, to)) {
      return R"(what follows \ in "…" is one of \ " n r t uXXXX)";
    }
  }
  text = trimmed(text);
  if (!text.empty() && text.front() != '#') return "something follows the closing quote";
  return {};
}

}  // namespace

Result<std::vector<ConfigLine>> parse_config(std::string_view text) {
  std::vector<ConfigLine> lines;
  text = api::without_byte_order_mark(text);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto refused = [number](std::string_view why) {
      return Error{ErrorKind::InvalidArgument, fmt::format("line {}: {}", number, why)};
    };
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (std::any_of(line.begin(), line.end(), is_control)) return refused("there is a control character in it");
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    const auto equals = line.find('=');
    ConfigLine read{number, std::string(trimmed(line.substr(0, equals))), {}};
    if (equals == std::string_view::npos || !is_name(read.name)) return refused("is not: name = value");
    if (std::string why = read_value(trimmed(line.substr(equals + 1)), read.value); !why.empty()) return refused(why);
    if (read.value.empty()) return refused(fmt::format("{} is given and empty; leave the line out", read.name));
    lines.push_back(std::move(read));
  }
  return lines;
}

std::string format_config_line(std::string_view name, std::string_view value) {
  STELE_CHECK(!value.empty() && value.find('\0') == std::string_view::npos);
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-.:/,*[]@+").find(c) != std::string_view::npos;
  };
  if (std::all_of(value.begin(), value.end(), plain)) return fmt::format("{} = {}\n", name, value);
  std::string quoted;
  for (const char c : value) {
    if (const std::size_t which = kMeanings.find(c); which != std::string_view::npos) {
      quoted += '\\';
      quoted += kEscapes[which];
    } else if (is_control(c)) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return fmt::format("{} = \"{}\"\n", name, quoted);
}

}  // namespace stele::tools
