#pragma once
// A number and its unit, as people write them: what sizes and durations have in common.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stele::api {

struct QuantityUnit {
  std::string_view name;  ///< in lower case; empty: without a unit
  std::uint64_t factor;
};

/// A decimal number, blanks perhaps, and one of `units` in any case. None for anything else, for what is no whole
/// number once it is multiplied, and beyond `most`.
[[nodiscard]] std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const QuantityUnit> units,
                                                          double most);

}  // namespace stele::api
