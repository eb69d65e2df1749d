#pragma once
// Which files of the folder are the store, judged by their names alone: there is no list of files that could be lost or
// out of date.

#include <string>
#include <vector>

#include "engine/snapshots/snapshot_file.h"

namespace stele {

/// What is to be done about the entries of a snapshot folder.
struct SnapshotFolderPlan {
  std::vector<SnapshotFileName>
      files;                           ///< the store's, oldest first; each begins with the number behind the one before
  std::vector<std::string> leftovers;  ///< half-written, or made into one of `files` by a merge: to be removed
  /// Older than a gap in the numbers. What filled the gap is lost, and may have been deletions of what these hold: to
  /// be removed.
  std::vector<std::string> dropped;
  std::uint64_t next = 1;  ///< number of the next file
};

/// `entries`: the names in the folder, in any order. Names that are not the store's are passed over.
[[nodiscard]] SnapshotFolderPlan plan_snapshot_folder(const std::vector<std::string>& entries);

}  // namespace stele
