#include "engine/verify/tile_check.h"

#include <algorithm>

namespace stele {

TileCheck::TileCheck(FileSystem& files, const std::string& folder, const Uuid& store_id)
    : files_({.file_system = &files, .folder = folder, .store_id = store_id, .in_place = {}}) {
  if (const Status opened = files_.open(OpenMode::Read); !opened) {
    notes_.push_back("tiles were not looked at: " + opened.error().describe());
    return;
  }
  for (unsigned level = 0; level < kTileLevels; ++level) {
    if (const auto count = files_.count(level)) levels_[level].count = *count;
  }
}

std::optional<Digest> TileCheck::stored(unsigned level, std::uint64_t index) {
  Level& at = levels_[level];
  if (index >= at.count) return std::nullopt;
  if (index < at.first || index - at.first >= at.window.size()) {
    at.window.resize(std::min(kWindow, at.count - index));
    at.first = index;
    if (const Status read = files_.read(level, index, at.window); !read) {
      notes_.push_back("tiles of level " + std::to_string(level) + " from number " + std::to_string(index) +
                       " on were not looked at: " + read.error().describe());
      at.window.clear();
      at.count = index;
      return std::nullopt;
    }
  }
  return at.window[index - at.first];
}

bool TileCheck::differs(unsigned level, std::uint64_t index, const Digest& hash) {
  const auto known = stored(level, index);
  // Zeros are what a power cut leaves of what was not synced.
  if (!known || *known == Digest{}) return false;
  ++compared_;
  return *known != hash;
}

}  // namespace stele
