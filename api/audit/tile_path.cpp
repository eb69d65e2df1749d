#include "api/audit/tile_path.h"

#include <algorithm>
#include <charconv>

namespace stele::api {

namespace {

constexpr unsigned kFullWidth = 256;
constexpr unsigned kLevelMax = 63;
constexpr std::size_t kGroupDigits = 3;
constexpr std::size_t kGroupsMax = 6;

/// Digits only; the text is short enough for the number.
std::optional<unsigned> digits(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Of 1 to `max`, without leading zeros, or "0".
std::optional<unsigned> plain_number(std::string_view text, unsigned max) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  const auto number = digits(text);
  return number && *number <= max ? number : std::nullopt;
}

}  // namespace

std::optional<unsigned> parse_tile_level(std::string_view text) { return plain_number(text, kLevelMax); }

std::optional<TilePath> parse_tile_path(std::string_view text) {
  TilePath tile{.index = 0, .width = kFullWidth};
  constexpr std::string_view kPartial = ".p/";
  if (const std::size_t at = text.find(kPartial); at != std::string_view::npos) {
    const auto width = plain_number(text.substr(at + kPartial.size()), kFullWidth - 1);
    if (!width || *width == 0) return std::nullopt;
    tile.width = *width;
    text = text.substr(0, at);
  }
  for (std::size_t groups = 0; groups < kGroupsMax; ++groups) {
    const bool more = text.starts_with('x');
    if (more) text.remove_prefix(1);
    const auto group = text.size() < kGroupDigits ? std::nullopt : digits(text.substr(0, kGroupDigits));
    // Numbers of several groups do not begin with zeros.
    if (!group || (more && groups == 0 && *group == 0)) return std::nullopt;
    text.remove_prefix(kGroupDigits);
    tile.index = tile.index * 1000 + *group;
    if (!more) return text.empty() ? std::optional(tile) : std::nullopt;
    if (!text.starts_with('/')) return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;
}

}  // namespace stele::api
