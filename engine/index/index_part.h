#pragma once
// One part of the index: everything about the records of a range of positions. The index is a list of immutable parts in position order
// and one newest part in memory that still grows (see index_set.h). A part answers exactly from keys, without reading the log.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"
#include "engine/index/query.h"

namespace stele {

/// The keys that have posting lists.
enum class KeyKind : std::uint8_t { Aggregate, EventType, AggregateType, User, Correlation, OccurredDay };
inline constexpr std::size_t kKeyKinds = 6;

struct IndexKey {
  KeyKind kind;
  std::string text;
};

/// Key of all events whose occurredAt lies in the same UTC day.
[[nodiscard]] IndexKey occurred_day_key(std::int64_t day);
[[nodiscard]] std::int64_t day_of(Timestamp time);

struct AggregateHead {
  SequenceNumber last_sequence;
  std::optional<std::string> aggregate_type;
};

class IndexPart {
 public:
  virtual ~IndexPart() = default;
  /// The range of positions it covers: [first, end).
  [[nodiscard]] virtual Position first() const = 0;
  [[nodiscard]] virtual Position end() const = 0;
  [[nodiscard]] virtual std::optional<Position> find_event(const Uuid& event_id) const = 0;
  /// As far as this part knows the aggregate: the count, and the first and last time, are of its own records.
  [[nodiscard]] virtual std::optional<AggregateSummary> aggregate(std::string_view id) const = 0;
  [[nodiscard]] virtual std::optional<AggregateHead> head(std::string_view id) const = 0;
  /// Position of the first record of the aggregate whose sequence number is at least `sequence`.
  [[nodiscard]] virtual std::optional<Position> position_of(std::string_view id, SequenceNumber sequence) const = 0;
  /// Ids with `prefix` that are at least `from`, in byte order, at most `limit`.
  [[nodiscard]] virtual std::vector<std::string> aggregate_ids(std::string_view prefix, std::string_view from,
                                                               std::size_t limit) const = 0;
  /// Appends positions with `key`, beginning at `at` (inclusive) in the given direction, at most `limit`.
  virtual void collect(const IndexKey& key, Position at, Direction direction, std::size_t limit,
                       std::vector<Position>& to) const = 0;
};

}  // namespace stele
