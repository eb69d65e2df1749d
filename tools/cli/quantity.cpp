#include "tools/cli/quantity.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "api/http/field_list.h"

namespace stele::tools {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 15> kByteUnits{{{"", 1},
                                           {"b", 1},
                                           {"k", 1ULL << 10},
                                           {"kib", 1ULL << 10},
                                           {"kb", 1'000},
                                           {"m", 1ULL << 20},
                                           {"mib", 1ULL << 20},
                                           {"mb", 1'000'000},
                                           {"g", 1ULL << 30},
                                           {"gib", 1ULL << 30},
                                           {"gb", 1'000'000'000},
                                           {"t", 1ULL << 40},
                                           {"tib", 1ULL << 40},
                                           {"tb", 1'000'000'000'000},
                                           {"bytes", 1}}};

constexpr std::array<Unit, 8> kDurationUnits{{{"us", 1},
                                              {"ms", 1'000},
                                              {"s", 1'000'000},
                                              {"sec", 1'000'000},
                                              {"min", 60'000'000},
                                              {"m", 60'000'000},
                                              {"h", 3'600'000'000},
                                              {"d", 86'400'000'000}}};

/// Number times unit, exact or nothing.
template <std::size_t N>
std::optional<std::uint64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units, double most) {
  const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string unit(text.substr(digits));
  unit.erase(0, std::min(unit.find_first_not_of(' '), unit.size()));
  for (char& c : unit) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number, std::chars_format::fixed);
  if (digits == 0 || error != std::errc{} || end != text.data() + digits) return std::nullopt;
  for (const auto& known : units) {
    if (known.name != unit) continue;
    const double total = number * static_cast<double>(known.factor);
    if (total > most || std::floor(total) != total) return std::nullopt;
    return static_cast<std::uint64_t>(total);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_bytes(std::string_view text) { return parse_quantity(text, kByteUnits, 9e18); }

std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::microseconds{0};
  const auto micros = parse_quantity(text, kDurationUnits, 3.2e14);
  if (!micros) return std::nullopt;
  return std::chrono::microseconds{static_cast<std::int64_t>(*micros)};
}

std::optional<bool> parse_boolean(std::string_view text) {
  for (const std::string_view word : {"true", "on", "yes", "1"}) {
    if (api::same_token(text, word)) return true;
  }
  for (const std::string_view word : {"false", "off", "no", "0"}) {
    if (api::same_token(text, word)) return false;
  }
  return std::nullopt;
}

std::string format_bytes(std::uint64_t bytes) {
  static constexpr std::array<Unit, 3> kLargestFirst{{{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};
  for (const auto& [name, factor] : kLargestFirst) {
    if (bytes != 0 && bytes % factor == 0) return fmt::format("{}{}", bytes / factor, name);
  }
  return fmt::format("{}", bytes);
}

std::string format_duration(std::chrono::microseconds duration) {
  static constexpr std::array<Unit, 4> kLargestFirst{
      {{"h", 3'600'000'000}, {"min", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}}};
  const auto micros = static_cast<std::uint64_t>(duration.count());
  if (micros == 0) return "0";
  for (const auto& [name, factor] : kLargestFirst) {
    if (micros % factor == 0) return fmt::format("{}{}", micros / factor, name);
  }
  return fmt::format("{}us", micros);
}

std::string with_thousands(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

}  // namespace stele::tools
