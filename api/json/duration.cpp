#include "api/json/duration.h"

#include <array>

#include "api/json/quantity.h"

namespace stele::api {

namespace {

constexpr std::array<QuantityUnit, 8> kDurationUnits{{{"us", 1},
                                                      {"ms", 1'000},
                                                      {"s", 1'000'000},
                                                      {"sec", 1'000'000},
                                                      {"min", 60'000'000},
                                                      {"m", 60'000'000},
                                                      {"h", 3'600'000'000},
                                                      {"d", 86'400'000'000}}};

}  // namespace

std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::microseconds{0};
  const auto micros = parse_quantity(text, kDurationUnits, 3.2e14);
  if (!micros) return std::nullopt;
  return std::chrono::microseconds{static_cast<std::int64_t>(*micros)};
}

}  // namespace stele::api
