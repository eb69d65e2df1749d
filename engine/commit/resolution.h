#pragma once
// What a proposer looks up before its proposal is ordered, so that the committer touches memory only: everything in the immutable parts
// of the index, and the conditions over everything that was durable at that moment.

#include <optional>
#include <vector>

#include "engine/commit/proposal.h"
#include "engine/index/index_set.h"

namespace stele {

struct Resolution {
  /// The immutable parts that were looked up end where this part begins: everything behind them is in memory, from here on.
  std::shared_ptr<const MemoryLink> newest;
  Position checked_end;  ///< failIfEventsMatch was evaluated over positions before this
  std::vector<std::optional<Position>> duplicates;       ///< of each event's id; empty if there is none
  std::vector<std::optional<AggregateHead>> heads;       ///< of each event's aggregate, unless the newest part has it; empty if none
  std::vector<std::optional<AggregateHead>> condition_heads;  ///< of each AggregateCondition's
  std::vector<Position> conflicting;                     ///< matches found, ascending, at most kConflictsMax
};

inline constexpr std::size_t kConflictsMax = 10;

/// `durable_end` must have been read before `index` was taken. Any thread. Corrupt or Io: a run of the index is damaged.
[[nodiscard]] Result<Resolution> resolve(const Proposal& proposal, const IndexSet::Snapshot& index, Position durable_end);

/// Positions in [begin, end) that match any of `matches`, by the index alone, ascending, at most kConflictsMax. The
/// genesis record never matches.
[[nodiscard]] Result<std::vector<Position>> find_matches(const std::vector<EventMatch>& matches, const IndexView& view,
                                                         Position begin, Position end);

/// True if `header` matches; for records that no index holds yet.
[[nodiscard]] bool matches_any(const std::vector<EventMatch>& matches, const RecordHeader& header);

}  // namespace stele
