#pragma once
// The sequencing state machine: decides ordered proposals one after another and turns those it accepts into records.
// Deterministic: the same proposals with the same stamps give the same records and leaves, whatever the group
// boundaries. No threads, no I/O, no clock.

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/keyed_hash.h"
#include "engine/commit/overlay_table.h"
#include "engine/commit/proposal.h"
#include "engine/commit/resolution.h"
#include "engine/log/frame.h"

namespace stele {

/// The records of one group as they will be written. Headers borrow their strings from the proposals, which must stay
/// where they are until the group is durable.
struct Group {
  std::string frame = std::string(kFrameBytes, '\0');
  std::vector<std::uint32_t> offsets;  ///< of each record, from the begin of `frame`
  std::vector<RecordHeader> headers;
  std::vector<Digest> leaves;
  std::deque<std::string> texts;  ///< of the genesis record, for its header to borrow

  [[nodiscard]] bool empty() const { return headers.empty(); }
  void clear();
};

/// One thread, the one that inserts in the index. The state is each proposal's Resolution and, for what came after it,
/// the memtables of the index; the overlay holds what the group that still grows adds.
class CommitMachine {
 public:
  /// `schema_change`: the newest record of a `$schema` aggregate before `next`, 0 = none.
  CommitMachine(Position next, Timestamp last_time, Position schema_change)
      : next_(next), last_time_(last_time), schema_change_(schema_change) {}

  /// Decides one proposal and, if it is accepted, appends its records to `group`. `stamp` is the sequencer's time for
  /// it. The outcome rests on `group` and must wait until that is durable. `duplicates` is filled if an id was found
  /// (see Decision).
  [[nodiscard]] AppendOutcome apply(const Proposal& proposal, const Resolution& resolution, Timestamp stamp,
                                    Group& group, std::vector<std::optional<Position>>& duplicates);

  /// True if an id of the proposal is taken already; then `duplicates` says where each one is. apply() asks this first.
  [[nodiscard]] bool find_duplicates(const Proposal& proposal, const Resolution& resolution,
                                     std::vector<std::optional<Position>>& duplicates) const;

  /// Brings into the cache what apply() will look up; worth it while other proposals are decided.
  static void prefetch(const Proposal& proposal, const Resolution& resolution);

  /// Appends the genesis record; only to an empty log.
  void apply_genesis(const Uuid& store_id, std::string_view origin, const Uuid& event_id, Timestamp stamp,
                     Group& group);

  /// The index holds the group: forget the overlay.
  void group_is_indexed();

  [[nodiscard]] Position next() const { return next_; }

  /// An upper bound of what apply() adds to a group's frame.
  [[nodiscard]] static std::uint64_t bytes_max(const Proposal& proposal);

 private:
  struct Head {
    SequenceNumber last;                   // 0 = the aggregate does not exist
    std::optional<std::string_view> type;  // borrowed from a proposal, a resolution or the index in memory
  };
  struct UuidHash {
    std::size_t operator()(const Uuid& uuid) const { return keyed_hash(uuid); }
  };
  struct TextHash {
    std::size_t operator()(std::string_view text) const { return keyed_hash(text); }
  };
  using Heads = OverlayTable<std::string_view, Head, TextHash>;

  [[nodiscard]] Head head_of(std::string_view aggregate_id, const std::vector<std::optional<AggregateHead>>& sealed,
                             std::size_t index, const Resolution& resolution) const;
  [[nodiscard]] std::optional<AppendOutcome> check_condition(const Proposal& proposal, const Resolution& resolution,
                                                             Group& group) const;
  /// Completes and encodes the last of the group's headers.
  void add_record(RecordHeader& header, const Seed& seed, const RecordBody& body, const Digest& body_digest,
                  Group& group);

  Position next_;
  Timestamp last_time_;
  Position schema_change_;
  // Of the proposal under way; members for their memory.
  std::vector<Head> placed_;
  Heads own_;
  Heads heads_;                                       // overlay
  OverlayTable<Uuid, Position, UuidHash> event_ids_;  // overlay
};

}  // namespace stele
