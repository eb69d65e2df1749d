#pragma once
// What a client asks to append, and what became of it. Everything a proposal needs to become records is in it (ids,
// salts, digests), except position, sequence number and time, so that the same proposals in the same order give the
// same records.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"
#include "engine/log/record.h"

namespace stele {

/// One record to append. Texts are validated by the caller: at most 255 bytes each, aggregate_id and event_type not
/// empty.
struct RecordDraft {
  RecordKind kind = RecordKind::Event;  ///< or Action; its aggregate is `$audit/<class>`, its event type its name
  Uuid event_id;
  GivenByClient given;
  std::string aggregate_id;
  std::optional<std::string> aggregate_type;  ///< none = inherit
  std::string event_type;
  std::optional<std::string> user_id;    ///< as the client sent it; none = the principal, if there is one
  std::optional<std::string> principal;  ///< who was authenticated
  std::optional<std::string> correlation_id;
  std::optional<std::string> causation_id;
  std::uint32_t schema_version = 1;
  std::optional<Timestamp> occurred_at;
  std::optional<SequenceNumber> expected_sequence;  ///< the number this event must get
  std::vector<std::string> tags;                ///< at most kTagsMax, of 1 to kTagBytesMax bytes, sorted and distinct
  ActionOutcome outcome = ActionOutcome::Done;  ///< of an action
  std::uint8_t retention_class = 0;             ///< of an action
  std::optional<std::string> resource;          ///< of an action: 1 to kResourceBytesMax bytes
  std::optional<std::string> data;
  std::optional<std::string> metadata;
  std::optional<std::string> private_fields;
  Seed seed{};
  Digest body_digest{};             ///< of seed and body; fill with seal()
  std::optional<IdUuids> id_uuids;  ///< filled by seal(), to spare the committer the work
  std::string extensions;           ///< of the header, with tags and resource; filled by seal()

  /// Draws a random seed, computes the digest and encodes the extensions. Call once everything else is final.
  void seal();
  [[nodiscard]] RecordBody body() const;
  /// As far as the proposer knows it: without position, sequence number, time, place in the commit and an inherited
  /// type. Borrows.
  [[nodiscard]] RecordHeader header() const;
};

struct AggregateCondition {
  std::string aggregate_id;
  /// The last sequence number the aggregate must have (0 = it must not exist); none = it must exist.
  std::optional<SequenceNumber> last;
};

/// An event matches if it meets every non-empty list (all events match an entry without any); a list is met by any of
/// its members, only that of the tags by an event that has them all.
struct EventMatch {
  std::vector<std::string> event_types;
  std::vector<std::string> aggregate_types;
  std::vector<std::string> aggregate_ids;
  std::vector<std::string> user_ids;
  std::vector<std::string> tags;
};

struct Condition {
  std::vector<AggregateCondition> aggregates;
  std::vector<EventMatch> fail_if_events_match;
  std::vector<std::string>
      default_aggregate_types;    ///< what entries mean that have no aggregate types; empty = any or none
  std::optional<Position> after;  ///< only events behind this position count; none = all
};

/// Type of the aggregates that hold what the store knows of schemas.
inline constexpr std::string_view kSchemaAggregateType = "$schema";

/// The atomic unit: all records or none.
struct Proposal {
  /// What is asked for: ids distinct, none of an action. Outcomes and repeats are about these alone.
  std::vector<RecordDraft> events;
  /// What the store itself adds, behind them in the same commit: actions, and events of its `$` aggregates. Not stored
  /// again with a repeat. Without expected numbers; their ids are not compared with those that are stored.
  std::vector<RecordDraft> attached;
  Condition condition;
  /// The newest record of a `$schema` aggregate that its events were validated under, 0 = there was none; refused if
  /// the log has another one by then. None = its events need no schema. One number for all event types: changes are
  /// rare, and to compare it costs the committer nothing, whether there are schemas or not.
  std::optional<Position> schema_change;
  bool is_list = false;  ///< sent as a list: a repeat must be exactly the events of one stored commit

  /// 1 to 65,535.
  [[nodiscard]] std::size_t record_count() const { return events.size() + attached.size(); }
  /// In the order of the commit.
  [[nodiscard]] const RecordDraft& record(std::size_t index) const {
    return index < events.size() ? events[index] : attached[index - events.size()];
  }
};

/// How many values a condition has in all: what it costs to evaluate it.
[[nodiscard]] std::size_t value_count(const Condition& condition);
/// What it takes in memory, about.
[[nodiscard]] std::uint64_t memory_bytes(const Condition& condition);

/// What looking for events that match a failIfEventsMatch may cost, in the units of ReadBudget: some tenths of a
/// second. Two common keys that never meet could otherwise be followed through the whole log.
inline constexpr std::uint64_t kConditionWorkMax = 1ULL << 20;

/// What became of a proposal, final.
struct AppendOutcome {
  enum class Kind {
    Stored,                 ///< durable now, at first .. first + count - 1
    Repeated,               ///< was stored before with the same content, at first .. first + count - 1
    EventIdConflict,        ///< the id of events[event_index] is taken: by other content, or not by exactly this commit
    EventRedacted,          ///< the id is taken by a redacted event, so sameness cannot be told
    SchemaChanged,          ///< schemas are at `first` now (schema_change): validate and propose again
    SequenceConflict,       ///< events[event_index] expected another number than current.next()
    AggregateTypeConflict,  ///< events[event_index] names another type than the aggregate has (stored_aggregate_type)
    ConditionFailed,        ///< mismatches or conflicting say what broke it
    ConditionTooCostly,     ///< whether events match the condition cannot be told with bounded work: nothing happened
    AfterBeyondHead,        ///< condition.after is not in the log yet; `first` is the end of the log
    TooLarge,               ///< the commit does not fit in a group
    Busy,                   ///< queue full: nothing happened, try again
    ClockJump,              ///< the system clock jumped ahead: nothing happened; heals by itself when it is back
    DiskFull,               ///< no room for another segment: nothing happened; heals by itself
    OutcomeUnknown,  ///< a write or sync failed: may or may not be stored; retry with the same ids after a restart
    Unavailable,     ///< the store is poisoned or closing: nothing happened
    ReadFailed,      ///< stored bytes that were needed for the answer cannot be read (`detail`)
  };
  /// What the committer gave an event.
  struct Placed {
    SequenceNumber sequence;
    std::optional<std::string> inherited_type;  ///< the type of its aggregate, if the event itself names none
  };
  struct Mismatch {
    std::string aggregate_id;
    SequenceNumber current;  ///< 0 = does not exist
  };

  Kind kind = Kind::Unavailable;
  Position first;           ///< Stored without events: of the first attached record
  std::uint32_t count = 0;  ///< of the events; attached records stand behind them
  std::uint32_t event_index = 0;
  Timestamp time;              ///< Stored: of all events
  std::vector<Placed> placed;  ///< Stored: one an event
  SequenceNumber current;      ///< SequenceConflict: last number of the aggregate before the event
  std::optional<std::string> stored_aggregate_type;  ///< AggregateTypeConflict
  std::vector<Mismatch> mismatches;                  ///< ConditionFailed: aggregates that broke it
  std::vector<Position> conflicting;  ///< ConditionFailed: first events that broke it, at most 10, ascending
  std::string detail;
};

/// The committer's answer, handed to the proposer together with its proposal. Turn it into an AppendOutcome with
/// Store::finish().
struct Decision {
  Proposal proposal;
  AppendOutcome outcome;
  /// Where each event's id was found before, if any was; then `outcome` is not final until the stored content has been
  /// compared.
  std::vector<std::optional<Position>> duplicates;
};

/// The header under which event `index` of a commit with a Stored outcome stands in the log. Borrows from both.
[[nodiscard]] RecordHeader stored_header(const Proposal& proposal, const AppendOutcome& stored, std::uint32_t index);

/// Called exactly once, on the committer's thread or (Busy, Unavailable, ReadFailed) inside Store::append(). Must only
/// hand the decision over to the caller's own thread and return.
using AppendCallback = std::function<void(Decision&&)>;

}  // namespace stele
