#pragma once
// The Merkle tree over a log, grown leaf by leaf with the hashes of its 256-ary tiles (C2SP tlog-tiles): each is shown
// when it comes to be. No hash is computed that the root does not need.

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/audit/tile_files.h"

namespace stele {

class TileTree {
 public:
  /// `show(level, index, hash)`: the leaf, and the root of each tile that it fills.
  template <class Show>
  void append(const Digest& leaf, Show&& show) {
    Digest hash = leaf;
    for (unsigned level = 0; level < kTileLevels; ++level) {
      Level& at = levels_[level];
      show(level, at.full * kTileWidth + at.tile.size(), hash);
      at.tile.append(hash);
      if (at.tile.size() < kTileWidth) break;
      hash = at.tile.root();
      at.tile = MerkleFrontier();
      ++at.full;
    }
    ++size_;
  }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Digest root() const {
    std::vector<Digest> subtrees;
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
      subtrees.insert(subtrees.end(), level->tile.subtrees().begin(), level->tile.subtrees().end());
    }
    return MerkleFrontier(size_, std::move(subtrees)).root();
  }

 private:
  struct Level {
    MerkleFrontier tile;     ///< that is being filled
    std::uint64_t full = 0;  ///< tiles before it
  };

  std::array<Level, kTileLevels> levels_;
  std::uint64_t size_ = 0;
};

}  // namespace stele
