#pragma once
// How tiles are named in URLs (C2SP tlog-tiles): `<level>/x001/x234/067`, and behind that `.p/<width>` for one that is
// not full.

#include <cstdint>
#include <optional>
#include <string_view>

namespace stele::api {

struct TilePath {
  std::uint64_t index = 0;
  unsigned width = 0;  ///< hashes or entries, 1 to 256

  friend bool operator==(const TilePath&, const TilePath&) = default;
};

/// What stands behind the level; none if it is not spelt as the standard has it, or beyond 10^18 tiles.
[[nodiscard]] std::optional<TilePath> parse_tile_path(std::string_view text);
/// 0 to 63, without leading zeros.
[[nodiscard]] std::optional<unsigned> parse_tile_level(std::string_view text);

}  // namespace stele::api
