#include "api/json/quantity.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace stele::api {

std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const QuantityUnit> units, double most) {
  const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string unit(text.substr(digits));
  unit.erase(0, std::min(unit.find_first_not_of(' '), unit.size()));
  for (char& c : unit) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number, std::chars_format::fixed);
  if (digits == 0 || error != std::errc{} || end != text.data() + digits) return std::nullopt;
  for (const QuantityUnit& known : units) {
    if (known.name != unit) continue;
    const double total = number * static_cast<double>(known.factor);
    if (total > most || std::floor(total) != total) return std::nullopt;
    return static_cast<std::uint64_t>(total);
  }
  return std::nullopt;
}

}  // namespace stele::api
