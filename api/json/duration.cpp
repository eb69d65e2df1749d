#include "api/json/duration.h"

#include <algorithm>
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

std::optional<std::chrono::microseconds> parse_duration(std::string_view text, std::chrono::microseconds most) {
  if (text == "0") return std::chrono::microseconds{0};
  const auto micros = parse_quantity(text, kDurationUnits, static_cast<double>(most.count()));
  if (!micros) return std::nullopt;
  return std::chrono::microseconds{static_cast<std::int64_t>(*micros)};
}

std::string format_duration(std::chrono::microseconds duration) {
  static constexpr std::array<QuantityUnit, 6> kLargestFirst{
      {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"min", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}, {"us", 1}}};
  const auto micros = static_cast<std::uint64_t>(duration.count());
  if (micros == 0) return "0";
  const auto unit = std::find_if(kLargestFirst.begin(), kLargestFirst.end(),
                                 [&](const QuantityUnit& each) { return micros % each.factor == 0; });
  return std::to_string(micros / unit->factor).append(unit->name);
}

}  // namespace stele::api
