#pragma once
// The extension area of a hashed header: entries of a tag and a value, see format-spec.md ("Hashed header"). No I/O.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/bytes.h"

namespace stele {

enum class ExtensionTag : std::uint16_t {
  StoreId = 1,   ///< of the genesis record
  Origin = 2,    ///< of the genesis record
  Tags = 3,      ///< of an event
  Resource = 4,  ///< of an action
};

/// An entry's bytes before its value.
inline constexpr std::size_t kExtensionFrameBytes = 2 * sizeof(std::uint16_t);

/// Adds one entry at the end of `to`. The value has at most 65,535 bytes.
inline void put_extension(std::string& to, ExtensionTag tag, std::string_view value) {
  put<std::uint16_t>(to, static_cast<std::uint16_t>(tag));
  put<std::uint16_t>(to, static_cast<std::uint16_t>(value.size()));
  to.append(value);
}

/// Calls visit(tag, value) for each entry of `area`, also for those with a tag that nobody knows. False if an entry
/// does not fit.
template <class Visit>
[[nodiscard]] bool each_extension(std::string_view area, Visit visit) {
  ByteReader in(area);
  while (in.left() > 0) {
    const auto tag = in.take<std::uint16_t>();
    const std::string_view value = in.take_bytes(in.take<std::uint16_t>());
    if (!in.ok()) return false;
    visit(static_cast<ExtensionTag>(tag), value);
  }
  return in.ok();
}

}  // namespace stele
