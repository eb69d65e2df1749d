#include "engine/verify/tile_check.h"

#include <algorithm>

namespace stele {

TileCheck::TileCheck(FileSystem& files, const std::string& folder, const Uuid& store_id)
    : folder_(folder), files_({.file_system = &files, .folder = folder, .store_id = store_id, .in_place = {}}) {
  if (const Status opened = files_.open(OpenMode::Read); !opened) {
    tell("tiles", opened.error());
    return;
  }
  for (const std::string& path : files_.unfit()) {
    findings_.push_back({.verdict = Verdict::Damaged,
                         .text = "the header of a file of tiles is damaged, or of another store",
                         .file = path,
                         .offset = 0});
  }
  for (unsigned level = 0; level < kTileLevels; ++level) {
    if (const auto count = files_.count(level)) levels_[level].count = *count;
  }
}

void TileCheck::tell(const std::string& what, const Error& error) {
  if (error.kind != ErrorKind::Io && error.kind != ErrorKind::Corrupt) {
    notes_.push_back(what + " were not looked at: " + error.describe());
    return;
  }
  findings_.push_back({.verdict = Verdict::Damaged,
                       .text = what + " cannot be read: " + error.message,
                       .file = error.file.empty() ? folder_ : error.file});
}

std::optional<Digest> TileCheck::stored(unsigned level, std::uint64_t index) {
  Level& at = levels_[level];
  if (index >= at.count) return std::nullopt;
  if (index < at.first || index - at.first >= at.window.size()) {
    at.window.resize(std::min(kWindow, at.count - index));
    at.first = index;
    if (const Status read = files_.read(level, index, at.window); !read) {
      tell("tiles of level " + std::to_string(level) + " from number " + std::to_string(index) + " on", read.error());
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
