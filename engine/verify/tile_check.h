#pragma once
// Compares the hashes of a folder's tile files with those that follow from the log.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/audit/tile_files.h"
#include "engine/verify/finding.h"

namespace stele {

/// One thread. Hashes of a level are asked for in ascending order.
class TileCheck {
 public:
  /// A folder without tiles has nothing to compare.
  TileCheck(FileSystem& files, const std::string& folder, const Uuid& store_id);

  /// Whether the file has another hash there; that it has none is no fault, because tiles follow the log.
  [[nodiscard]] bool differs(unsigned level, std::uint64_t index, const Digest& hash);
  /// What the file says; none if it says nothing.
  [[nodiscard]] std::optional<Digest> stored(unsigned level, std::uint64_t index);

  [[nodiscard]] std::uint64_t compared() const { return compared_; }
  /// Files that cannot be read, or are not tiles of this store.
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  static constexpr std::uint64_t kWindow = 16 * kTileWidth;  // hashes that are read at once
  struct Level {
    std::uint64_t count = 0;
    std::uint64_t first = 0;  ///< of the window
    std::vector<Digest> window;
  };

  void tell(const std::string& what, const Error& error);

  const std::string folder_;
  TileFiles files_;
  std::array<Level, kTileLevels> levels_;
  std::uint64_t compared_ = 0;
  std::vector<Finding> findings_;
  std::vector<std::string> notes_;
};

}  // namespace stele
