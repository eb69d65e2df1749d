#pragma once
// How much of a bounded whole one of many may hold, where anybody can be many.

#include <algorithm>
#include <cstddef>

namespace stele::net {

/// What one may hold of `whole` while the others hold `by_others`: one of `parts` parts of the whole if those hold
/// nothing. Half of it held makes that a quarter, and so on with the square: n that take all they may, one after the
/// other, leave about parts / (parts + n) of the whole, so that there is room for the next one, whether they are
/// strangers to each other or one with many names. Never 0 while anything is left.
[[nodiscard]] constexpr std::size_t fair_share(std::size_t whole, std::size_t by_others, std::size_t parts) {
  const std::size_t left = whole - std::min(whole, by_others);
  if (left == 0) return 0;
  const double share =
      static_cast<double>(left) * static_cast<double>(left) / (static_cast<double>(whole) * static_cast<double>(parts));
  const auto rounded_down = static_cast<std::size_t>(share);
  return std::min(left, static_cast<double>(rounded_down) < share ? rounded_down + 1 : rounded_down);
}

}  // namespace stele::net
