#pragma once
// Proofs by the Merkle tree of a data folder that is opened for reading, against a checkpoint that was signed over it.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/audit/checkpoint.h"
#include "engine/audit/tile_files.h"
#include "engine/store/read_only_store.h"

namespace stele::tools {

/// Takes hashes from the folder's tiles while they lead to the checkpoint's root. Once they do not (they are missing,
/// damaged, or a server has not written them yet) the whole log is read and hashed, once; that keeps 32 bytes for 256
/// records in memory. One thread.
class FolderTree {
 public:
  /// `checkpoint` covers no more than the store's view has. Both must outlive it.
  FolderTree(const ReadOnlyStore& store, const std::string& folder, const Checkpoint& checkpoint);

  /// From the leaf of a record that the checkpoint covers to its root; what is given was verified. Corrupt: the log is
  /// not the one that was signed. Errors of reading.
  [[nodiscard]] Result<std::vector<Digest>> inclusion(const Record& record);

 private:
  [[nodiscard]] bool leads_to_root(const Record& record, const Result<std::vector<Digest>>& path) const;
  [[nodiscard]] Result<Digest> node_of_files(unsigned level, std::uint64_t index) const;
  [[nodiscard]] Result<Digest> node_of_log(unsigned level, std::uint64_t index);
  [[nodiscard]] Result<Digest> hash_log(std::uint64_t first, std::uint64_t end);
  [[nodiscard]] Status hash_tiles();

  const ReadOnlyStore& store_;
  const Checkpoint& checkpoint_;
  TileFiles files_;
  bool trusts_files_;
  std::vector<Digest> tile_roots_;  // of all full tiles of leaves, once the log was read
  Record record_;
};

}  // namespace stele::tools
