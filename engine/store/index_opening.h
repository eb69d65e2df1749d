#pragma once
// From the index runs of a data folder and what the log holds behind them to the index of all of it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/index/index_compactor.h"
#include "engine/index/run_folder.h"
#include "engine/recovery/recover.h"

namespace stele {

/// Runs that lead from the beginning of the log to a point that the log still has; what is behind must be replayed.
struct OpenedIndex {
  std::unique_ptr<IndexSet> set;
  MerkleFrontier frontier;  ///< of the records in `set`
  KnownOfLog known;         ///< without `state`
  std::uint64_t runs = 0;   ///< in `set`
  RunList unused;  ///< to be removed, but only once the log is accepted: until then they are all that tells of it
  std::vector<std::string> notes;
  bool vanished = false;  ///< as of OpenedRuns
};

[[nodiscard]] Result<OpenedIndex> open_index(const RunFiles& files, const std::string& log_folder,
                                             std::uint64_t part_records_max, RunAccess access);

/// Takes the records that no run of the index holds yet, and lets the compactor, which must not be started, write a
/// full part as soon as what it was made from is durable.
class IndexReplay final : public LogVisitor {
 public:
  using OnReplay = std::function<void(std::uint64_t records, std::uint64_t expected)>;
  /// All must outlive it.
  IndexReplay(IndexSet& set, MerkleFrontier& frontier, IndexCompactor& compactor, const OnReplay& on_replay,
              std::uint64_t expected)
      : set_(set), frontier_(frontier), compactor_(compactor), on_replay_(on_replay), expected_(expected) {}

  Status record(const Record& record, SegmentId segment, ByteOffset offset) override;
  Status group(const LogPoint& point, bool durable) override;

 private:
  IndexSet& set_;
  MerkleFrontier& frontier_;
  IndexCompactor& compactor_;
  const OnReplay& on_replay_;
  const std::uint64_t expected_;
};

}  // namespace stele
