#include "api/schemas/name_table.h"

#include <algorithm>
#include <cstddef>

#include "engine/base/keyed_hash.h"

namespace stele::api {

std::size_t NameTable::place_of(std::string_view name) const {
  const std::size_t mask = places_.size() - 1;
  std::size_t place = static_cast<std::size_t>(keyed_hash(name)) & mask;
  while (places_[place] != 0 && names_[places_[place] - 1] != name) place = (place + 1) & mask;
  return place;
}

void NameTable::grow() {
  places_.assign(std::max<std::size_t>(8, places_.size() * 2), 0);
  for (std::uint32_t slot = 0; slot < names_.size(); ++slot) places_[place_of(names_[slot])] = slot + 1;
}

std::uint32_t NameTable::add(std::string_view name) {
  if (names_.size() * 2 >= places_.size()) grow();
  const std::size_t place = place_of(name);
  if (places_[place] == 0) {
    names_.emplace_back(name);
    places_[place] = static_cast<std::uint32_t>(names_.size());
  }
  return places_[place] - 1;
}

std::optional<std::uint32_t> NameTable::find(std::string_view name) const {
  if (places_.empty()) return std::nullopt;
  const std::size_t place = place_of(name);
  if (places_[place] == 0) return std::nullopt;
  return places_[place] - 1;
}

}  // namespace stele::api
