#pragma once
// What a proposer looks up before its proposal is ordered, so that the committer touches memory only: everything in the
// immutable parts of the index, and the conditions over everything that was durable at that moment.

#include <optional>
#include <vector>

#include "engine/commit/event_matcher.h"
#include "engine/commit/proposal.h"
#include "engine/index/index_set.h"

namespace stele {

struct Resolution {
  /// The immutable parts that were looked up end where this part begins: everything behind them is in memory, from here
  /// on.
  std::shared_ptr<const MemoryLink> newest;
  Position checked_end;                             ///< failIfEventsMatch was evaluated over positions before this
  std::vector<std::optional<Position>> duplicates;  ///< of each event's id; empty if there is none
  std::vector<std::optional<AggregateHead>>
      heads;  ///< of each record's aggregate, unless the memtable has it; empty if none
  std::vector<std::optional<AggregateHead>> condition_heads;  ///< of each AggregateCondition's
  std::vector<Position> conflicting;                          ///< matches found, ascending, at most kConflictsMax
  std::optional<EventMatcher> matcher;  ///< for those behind checked_end; only with failIfEventsMatch
};

inline constexpr std::size_t kConflictsMax = 10;

/// `durable_end` must have been read before `index` was taken. Any thread. Corrupt or Io: a run of the index is
/// damaged. WouldWait, with DiskWait::Never: it has to be done where waiting for a disk is allowed. TooLarge: looking
/// for events that match the condition takes more than `condition_work_max`. The result lives no longer than the
/// proposal's texts.
[[nodiscard]] Result<Resolution> resolve(const Proposal& proposal, const IndexSet::Snapshot& index,
                                         Position durable_end, DiskWait wait = DiskWait::Allowed,
                                         std::uint64_t condition_work_max = kConditionWorkMax);

/// The first position that counts for failIfEventsMatch.
[[nodiscard]] Position begin_of(const Condition& condition);

}  // namespace stele
