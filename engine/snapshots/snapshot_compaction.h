#pragma once
// Making one snapshot file of several: superseded and deleted states are left out. Files merge in tiers (O'Neil, Cheng,
// Gawlick, O'Neil, "The log-structured merge-tree", Acta Informatica 33, 1996; the tiers are those of "size-tiered" or
// "universal" compaction): a state is written anew about once for each factor of four by which the store is larger than
// what one flush writes.

#include <functional>
#include <optional>
#include <string>

#include "engine/snapshots/snapshot_file.h"

namespace stele {

/// Files `first` .. `last` of all files, both included.
struct SnapshotCompactionRange {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// What to merge next, if anything. Leaves at most about three files for each factor of four in size.
[[nodiscard]] std::optional<SnapshotCompactionRange> pick_snapshot_compaction(const SnapshotFiles& files);

struct SnapshotCompactionContext {
  FileSystem* file_system;
  std::string folder;
  Uuid store_id;
  RateLimiter* limiter;                                 ///< may be null
  std::function<bool(std::string_view name)> unwanted;  ///< may be empty
  std::function<void()> between;                        ///< called after each key; may be empty
};

/// Writes the merge of `inputs` (adjacent, oldest first) under its temporary name and says what it is to be called.
/// `with_oldest`: no file is older than these, so that deletions have done their work. Corrupt: a file could not be
/// used, and is marked; try again.
[[nodiscard]] Result<SnapshotFileName> compact_snapshot_files(const SnapshotCompactionContext& context,
                                                              const SnapshotFiles& inputs, bool with_oldest);

}  // namespace stele
