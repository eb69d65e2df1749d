#include "tools/cli/quantity.h"

#include <fmt/core.h>

#include <array>

#include "api/http/field_list.h"
#include "api/json/quantity.h"

namespace stele::tools {

namespace {

constexpr std::array<api::QuantityUnit, 15> kByteUnits{{{"", 1},
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

}  // namespace

std::optional<std::uint64_t> parse_bytes(std::string_view text) { return api::parse_quantity(text, kByteUnits, 9e18); }

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
  static constexpr std::array<api::QuantityUnit, 3> kLargestFirst{
      {{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};
  for (const auto& [name, factor] : kLargestFirst) {
    if (bytes != 0 && bytes % factor == 0) return fmt::format("{}{}", bytes / factor, name);
  }
  return fmt::format("{}", bytes);
}

std::string with_thousands(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

}  // namespace stele::tools
