#pragma once
// The hashes of the Merkle tree in files, one a level of 256-ary tiles (C2SP tlog-tiles): leaf hashes in level 0, the
// roots of full tiles of level l in level l + 1. format-spec.md, "Tiles". What they hold follows from the log.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/ids.h"
#include "engine/base/mutex.h"
#include "engine/base/result.h"

namespace stele {

inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr unsigned kTileLevels = 8;  ///< enough for 2^64 leaves

struct TileFilesOptions {
  FileSystem* file_system = nullptr;  ///< must outlive it
  std::string folder;                 ///< made with the first file
  Uuid store_id;
  /// The folder is still the one that the log is in; asked before files are opened, made or removed.
  std::function<Status()> in_place;
};

/// One thread writes, any may read what was written before.
class TileFiles {
 public:
  explicit TileFiles(TileFilesOptions options) : options_(std::move(options)) {}
  TileFiles(const TileFiles&) = delete;

  /// Opens what there is, anew if it was open; with OpenMode::Read nothing can be written. A file of another store, of
  /// a newer format or with a damaged header is as if it were not there, and replaced when it is written.
  [[nodiscard]] Status open(OpenMode mode = OpenMode::ReadWrite);
  /// Paths of the files that were passed over when they were opened, but for what a power cut leaves of a header.
  [[nodiscard]] std::vector<std::string> unfit() const;
  /// Hashes that the file of a level has room for, as its length says.
  [[nodiscard]] Result<std::uint64_t> count(unsigned level) const;
  /// Corrupt beyond the end of the file.
  [[nodiscard]] Status read(unsigned level, std::uint64_t first, std::span<Digest> to) const;
  [[nodiscard]] Status write(unsigned level, std::uint64_t first, std::span<const Digest> hashes);
  /// Everything written is on the disk when it returns.
  [[nodiscard]] Status sync();

 private:
  [[nodiscard]] std::string path_of(unsigned level) const;
  [[nodiscard]] std::shared_ptr<File> file(unsigned level) const;
  [[nodiscard]] Result<std::shared_ptr<File>> make(unsigned level);

  const TileFilesOptions options_;
  mutable Mutex mutex_;
  std::array<std::shared_ptr<File>, kTileLevels> files_ GUARDED_BY(mutex_);  // null = not there
  std::vector<std::string> unfit_ GUARDED_BY(mutex_);
  std::array<bool, kTileLevels> unsynced_{};  // writing thread
};

}  // namespace stele
