#include "tools/offline/folder_tree.h"

#include <utility>

#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"

namespace stele::tools {

namespace {

constexpr unsigned kTileHeight = 8;  // 256 leaves

Digest root_of(std::span<const Digest> hashes) {
  MerkleFrontier tree;
  for (const Digest& hash : hashes) tree.append(hash);
  return tree.root();
}

}  // namespace

FolderTree::FolderTree(const ReadOnlyStore& store, const std::string& folder, const Checkpoint& checkpoint)
    : store_(store),
      checkpoint_(checkpoint),
      files_({.file_system = &posix_file_system(),
              .folder = folder + "/tiles",
              .store_id = store.store_id(),
              .in_place = {}}),
      trusts_files_(files_.open(OpenMode::Read).has_value()) {}

Result<std::vector<Digest>> FolderTree::inclusion(const Record& record) {
  const std::uint64_t index = record.header().position.value();
  if (trusts_files_) {
    auto path =
        inclusion_path(index, checkpoint_.size, [this](unsigned l, std::uint64_t i) { return node_of_files(l, i); });
    if (leads_to_root(record, path)) return path;
    trusts_files_ = false;
  }
  if (tile_roots_.empty()) STELE_TRY(hash_tiles());
  auto path =
      inclusion_path(index, checkpoint_.size, [this](unsigned l, std::uint64_t i) { return node_of_log(l, i); });
  if (!path || leads_to_root(record, path)) return path;
  return Error{.kind = ErrorKind::Corrupt,
               .message = "the records are not those that the checkpoint of size " + std::to_string(checkpoint_.size) +
                          " was signed over; `stele verify` says more"};
}

bool FolderTree::leads_to_root(const Record& record, const Result<std::vector<Digest>>& path) const {
  return path &&
         verify_inclusion(record.leaf(), record.header().position.value(), checkpoint_.size, *path, checkpoint_.root);
}

Result<Digest> FolderTree::node_of_files(unsigned level, std::uint64_t index) const {
  const unsigned within = level % kTileHeight;
  std::vector<Digest> hashes(std::size_t{1} << within);
  STELE_TRY(files_.read(level / kTileHeight, index << within, hashes));
  return root_of(hashes);
}

Result<Digest> FolderTree::node_of_log(unsigned level, std::uint64_t index) {
  if (level < kTileHeight) return hash_log(index << level, (index + 1) << level);
  const unsigned above = level - kTileHeight;
  return root_of(std::span(tile_roots_).subspan(index << above, std::size_t{1} << above));
}

Result<Digest> FolderTree::hash_log(std::uint64_t first, std::uint64_t end) {
  MerkleFrontier tree;
  for (std::uint64_t position = first; position < end; ++position) {
    STELE_TRY(store_.view()->read(Position{position}, record_));
    tree.append(record_.leaf());
  }
  return tree.root();
}

Status FolderTree::hash_tiles() {
  const std::uint64_t tiles = checkpoint_.size / kTileWidth;
  tile_roots_.reserve(tiles);
  for (std::uint64_t tile = 0; tile < tiles; ++tile) {
    STELE_ASSIGN(const Digest root, hash_log(tile * kTileWidth, (tile + 1) * kTileWidth));
    tile_roots_.push_back(root);
  }
  return {};
}

}  // namespace stele::tools
