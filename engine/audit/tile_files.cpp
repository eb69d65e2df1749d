#include "engine/audit/tile_files.h"

#include <algorithm>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"

namespace stele {

namespace {

constexpr std::string_view kTileMagic = "STELETIL";
constexpr std::uint32_t kTileVersion = 1;
constexpr std::size_t kTileHeaderBytes = 64;

std::string tile_header(const Uuid& store, unsigned level) {
  std::string header(kTileMagic);
  put<std::uint32_t>(header, kTileVersion);
  put<std::uint32_t>(header, level);
  header += as_bytes(store);
  header.resize(kTileHeaderBytes - sizeof(std::uint64_t), '\0');
  put<std::uint64_t>(header, xxh3(header));
  return header;
}

ByteOffset offset_of(std::uint64_t index) { return ByteOffset{kTileHeaderBytes + index * sizeof(Digest)}; }

}  // namespace

std::string TileFiles::path_of(unsigned level) const {
  return options_.folder + "/" + std::to_string(level) + ".tiles";
}

std::shared_ptr<File> TileFiles::file(unsigned level) const {
  const MutexLock lock(mutex_);
  return files_[level];
}

Status TileFiles::open(OpenMode mode) {
  if (options_.in_place) STELE_TRY(options_.in_place());
  std::array<std::shared_ptr<File>, kTileLevels> found;
  std::vector<std::string> unfit;
  for (unsigned level = 0; level < kTileLevels; ++level) {
    STELE_ASSIGN(const bool exists, options_.file_system->exists(path_of(level)));
    if (!exists) continue;
    STELE_ASSIGN(auto opened, options_.file_system->open(path_of(level), mode));
    STELE_ASSIGN(const std::uint64_t size, opened->size());
    if (size < kTileHeaderBytes) continue;
    std::string header(kTileHeaderBytes, '\0');
    STELE_TRY(opened->read_at(ByteOffset{0}, header));
    if (header == tile_header(options_.store_id, level)) {
      found[level] = std::move(opened);
    } else if (header != std::string(kTileHeaderBytes, '\0')) {
      unfit.push_back(path_of(level));
    }
  }
  const MutexLock lock(mutex_);
  files_.swap(found);
  unfit_ = std::move(unfit);
  return {};
}

std::vector<std::string> TileFiles::unfit() const {
  const MutexLock lock(mutex_);
  return unfit_;
}

Result<std::uint64_t> TileFiles::count(unsigned level) const {
  const auto open = file(level);
  if (open == nullptr) return std::uint64_t{0};
  STELE_ASSIGN(const std::uint64_t size, open->size());
  return size < kTileHeaderBytes ? 0 : (size - kTileHeaderBytes) / sizeof(Digest);
}

Status TileFiles::read(unsigned level, std::uint64_t first, std::span<Digest> to) const {
  const auto open = file(level);
  if (open == nullptr)
    return Error{.kind = ErrorKind::Corrupt, .message = "a file of tiles is missing", .file = path_of(level)};
  return open->read_at(offset_of(first), {reinterpret_cast<char*>(to.data()), to.size_bytes()});
}

Result<std::shared_ptr<File>> TileFiles::make(unsigned level) {
  FileSystem& files = *options_.file_system;
  if (options_.in_place) STELE_TRY(options_.in_place());
  STELE_TRY(files.create_folders(options_.folder));
  STELE_ASSIGN(const bool exists, files.exists(path_of(level)));
  if (exists) STELE_TRY(files.remove(path_of(level)));
  STELE_ASSIGN(std::shared_ptr<File> made, files.open(path_of(level), OpenMode::CreateNew));
  STELE_TRY(made->write_at(ByteOffset{0}, tile_header(options_.store_id, level)));
  STELE_TRY(files.sync_directory(options_.folder));
  const MutexLock lock(mutex_);
  files_[level] = made;
  return made;
}

Status TileFiles::write(unsigned level, std::uint64_t first, std::span<const Digest> hashes) {
  if (hashes.empty()) return {};
  std::shared_ptr<File> open = file(level);
  if (open == nullptr) {
    STELE_ASSIGN(open, make(level));
  }
  unsynced_[level] = true;
  return open->write_at(offset_of(first), {reinterpret_cast<const char*>(hashes.data()), hashes.size_bytes()});
}

Status TileFiles::sync() {
  for (unsigned level = 0; level < kTileLevels; ++level) {
    const auto open = file(level);
    if (!unsynced_[level] || open == nullptr) continue;
    STELE_TRY(open->sync_data());
    unsynced_[level] = false;
  }
  return {};
}

}  // namespace stele
