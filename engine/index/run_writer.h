#pragma once
// Writes index runs: one part of the index, or several that follow each other merged into one. Everything is streamed
// in the order of keys; of a part in memory only its keys are sorted. Merging reads each page of its sources once.
//
// Cost: runs merge when kCompactionFanout of the same size class stand side by side, so that n records are in about
// log4(n / 64 Ki) runs of each class at most 3, and each record is rewritten log4(n / 64 Ki) times: at 100 million
// records some 9 runs and 5 times (tiered log-structured merge: O'Neil, Cheng, Gawlick, O'Neil, "The log-structured
// merge-tree", 1996).

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/index/index_run.h"
#include "engine/index/memtable.h"
#include "engine/log/log_guard.h"

namespace stele {

struct RunFiles {
  FileSystem* file_system;
  std::string folder;  ///< must exist
  Uuid store_id;
  std::uint64_t filter_seed;  ///< of the filters; random, so that nobody can choose keys that pass them
  /// Asked before a file is made, renamed or removed: under the folder's name another store may lie. None = nobody else
  /// is expected there.
  LogGuard* guard = nullptr;

  [[nodiscard]] Status in_place() const { return guard == nullptr ? Status{} : guard->look(); }
  /// As well as may be: a file that stays is removed when the folder is opened again. A run of another folder is not
  /// its own and stays: one that is opened for reading only, with what it lacks made elsewhere.
  void remove(const std::string& path) const {
    if (path.starts_with(folder + "/") && in_place()) (void)file_system->remove(path);
  }
};

/// Writes `part`, which must be immutable and not empty, as a run. Durable under its name on return; on an error
/// nothing is left but perhaps a file that open_runs() removes. `limiter` may be null.
[[nodiscard]] Result<std::shared_ptr<const IndexRun>> write_run(const RunFiles& files, const Memtable& part,
                                                                RateLimiter* limiter);

/// Merges runs that follow each other without a gap into one. Corrupt if one of them is damaged; that one is marked.
[[nodiscard]] Result<std::shared_ptr<const IndexRun>> compact_runs(
    const RunFiles& files, std::span<const std::shared_ptr<const IndexRun>> runs, RateLimiter* limiter);

}  // namespace stele
