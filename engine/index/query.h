#pragma once
// What a reader asks for.

#include <optional>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/log/record.h"

namespace stele {

enum class Direction { Ascending, Descending };

/// Some of all records, by who has written them.
struct RecordChoice {
  bool client_events = false;             ///< all that are not the store's own
  std::vector<std::string> system_types;  ///< the store's own with one of these event types; an action's is its name
};

/// All filters combine (and); an empty list or optional does not filter. Order is by position, which within an
/// aggregate is also the order of sequence numbers.
struct EventQuery {
  std::optional<std::string> aggregate_id;
  std::vector<std::string> aggregate_ids;  ///< any of these; beside aggregate_id, which must match too
  std::optional<std::string> aggregate_type;
  std::vector<std::string> aggregate_types;  ///< any of these; beside aggregate_type, which must match too
  std::vector<std::string> event_types;      ///< any of these
  std::vector<std::string> tags;             ///< all of these
  std::optional<std::string> user_id;
  std::optional<std::string> correlation_id;
  std::optional<std::string> principal;
  std::vector<std::string> resources;      ///< about any of these; an event is about `aggregate:` and its aggregate
  std::optional<ActionOutcome> outcome;    ///< that of an event is done
  std::optional<Timestamp> from;           ///< inclusive
  std::optional<Timestamp> to;             ///< exclusive
  std::optional<Timestamp> occurred_from;  ///< inclusive; events without occurredAt do not match
  std::optional<Timestamp> occurred_to;    ///< exclusive
  std::optional<SequenceNumber> from_sequence;  ///< inclusive
  std::optional<SequenceNumber> to_sequence;    ///< inclusive
  std::optional<Position> after;                ///< only positions greater than this
  std::optional<Position> before;               ///< only positions less than this
  bool include_system = false;                  ///< also the store's own records: genesis, `$` aggregates, actions
  std::optional<RecordChoice> choice;           ///< only these
  Direction direction = Direction::Ascending;
};

struct AggregateSummary {
  std::string aggregate_id;
  std::optional<std::string> aggregate_type;
  SequenceNumber last_sequence;
  std::uint64_t count = 0;
  Timestamp first_time;
  Timestamp last_time;
  Position last_position;
};

struct AggregateType {
  std::optional<std::string> type;  ///< none = it was begun without one, and never has one
};

struct AggregateQuery {
  std::optional<std::string> aggregate_type;
  std::vector<std::string> aggregate_types;  ///< any of these; beside aggregate_type, which must match too
  std::string prefix;                        ///< of the aggregate id
  std::optional<std::string> after;          ///< only ids greater than this, in byte order
  bool include_system = false;
};

struct AggregateList {
  std::vector<AggregateSummary> found;
  /// If the budget was used up: the last one that was looked at, whether it is found or not. What is left lies behind
  /// it.
  std::optional<AggregateSummary> rest_behind;
};

}  // namespace stele
