#pragma once
// One part of the index: everything about the records of a range of positions. The index is a list of immutable parts
// in position order and one memtable that still grows (see index_set.h). A part answers exactly from keys,
// without reading the log.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "engine/index/query.h"
#include "engine/log/record_extensions.h"

namespace stele {

/// The keys that have posting lists; their numbers are those of the tables in a run. Only the lists of aggregates hold
/// all records. Those of the other kinds hold what readers see, and System what they do not (is_system()), under a
/// SystemKey: so neither has to be searched for the other.
enum class KeyKind : std::uint8_t {
  Aggregate,
  EventType,
  AggregateType,
  User,
  Correlation,
  OccurredDay,
  Tag,
  Principal,
  System,
};
inline constexpr std::size_t kKeyKinds = 9;

/// What a key of the kind System begins with.
enum class SystemKey : std::uint8_t {
  All = 0,  ///< and nothing behind it: every record of the store itself
  EventType = 1,
  AggregateType = 2,
  User = 3,
  Correlation = 4,
  Tag = 5,
  Principal = 6,
  Resource = 7,
  Outcome = 8,  ///< its name; none of what is done
};

struct IndexKey {
  KeyKind kind;
  std::string text;
};

[[nodiscard]] IndexKey system_key(SystemKey which, std::string_view text = {});
[[nodiscard]] inline bool is_key_of(SystemKey which, std::string_view text) {
  return !text.empty() && text.front() == static_cast<char>(which);
}
/// Key of all events whose occurredAt lies in the same UTC day.
[[nodiscard]] IndexKey occurred_day_key(std::int64_t day);
/// The day of such a key's text, which has eight bytes.
[[nodiscard]] std::int64_t day_of_key(std::string_view text);
[[nodiscard]] std::int64_t day_of(Timestamp time);
/// A part with more days of occurredAt than 44 years have does not look through them. They are no more than the
/// distinct ones of its records, but those may be any.
inline constexpr std::size_t kOccurredDaysMax = 16'384;

struct AggregateHead {
  SequenceNumber last_sequence;
  std::optional<std::string> aggregate_type;
};

/// Reads one posting list of one part. One thread; the part must outlive it.
class PostingReader {
 public:
  virtual ~PostingReader() = default;
  /// Appends positions of the list, beginning at `at` (inclusive) in the given direction, at most `limit`.
  [[nodiscard]] virtual Status collect(Position at, Direction direction, std::size_t limit,
                                       std::vector<Position>& to) = 0;
};

/// Thread-safe. Corrupt or Io: the part is damaged, and what it would answer is not known.
class IndexPart {
 public:
  virtual ~IndexPart() = default;
  /// The range of positions it covers: [first, end).
  [[nodiscard]] virtual Position first() const = 0;
  [[nodiscard]] virtual Position end() const = 0;
  [[nodiscard]] virtual Result<std::optional<Position>> find_event(const Uuid& event_id) const = 0;
  /// As far as this part knows the aggregate: the count, and the first and last time, are of its own records.
  [[nodiscard]] virtual Result<std::optional<AggregateSummary>> aggregate(std::string_view id) const = 0;
  [[nodiscard]] virtual Result<std::optional<AggregateHead>> head(std::string_view id) const = 0;
  /// Position of the first record of the aggregate whose sequence number is at least `sequence`.
  [[nodiscard]] virtual Result<std::optional<Position>> position_of(std::string_view id,
                                                                    SequenceNumber sequence) const = 0;
  /// Ids with `prefix` that are at least `from`, in byte order, at most `limit`. With a type only those of that type,
  /// and only in the part that has the aggregate's first record.
  [[nodiscard]] virtual Result<std::vector<std::string>> aggregate_ids(const std::optional<std::string>& type,
                                                                       std::string_view prefix, std::string_view from,
                                                                       std::size_t limit) const = 0;
  /// The list of `key`; null if the part has none.
  [[nodiscard]] virtual Result<std::unique_ptr<PostingReader>> postings(const IndexKey& key) const = 0;
  /// Those of the UTC days [first, last] in which occurredAt of any of its records lies; none if the part has too many
  /// days to look through them all.
  struct OccurredDays {
    std::vector<std::int64_t> days;  ///< in no order
    std::uint64_t records = 0;       ///< of all these days together
  };
  [[nodiscard]] virtual Result<std::optional<OccurredDays>> occurred_days(std::int64_t first,
                                                                          std::int64_t last) const = 0;
  /// The times of some of the records are known: the first record whose time is at least `time` is at or behind
  /// `begin`, and, unless it lies behind this part, not behind `end`.
  struct TimeBounds {
    Position begin;
    Position end;
  };
  [[nodiscard]] virtual Result<TimeBounds> time_bounds(Timestamp time) const = 0;
};

/// The key of an aggregate in the order of types, then ids; that of the empty id begins those of all of the type.
/// At most kTypedAggregateBytesMax bytes.
[[nodiscard]] std::string typed_aggregate_key(std::string_view type, std::string_view id);
inline constexpr std::size_t kTypedAggregateBytesMax = 1 + 2 * kStringBytesMax;

/// Longest text of a key, and its longest stored form.
inline constexpr std::size_t kIndexTextBytesMax = 1 + kResourceBytesMax;
inline constexpr std::size_t kIndexKeyBytesMax = 1 + kIndexTextBytesMax;

/// The form in which tables hold a key: the text itself, except that user and correlation ids, which are mostly UUIDs,
/// get a byte in front: 1 and the UUID's 16 bytes, or 0 and the text. (Those of the store's own records do not, they
/// are few.) `buffer` has room for kIndexKeyBytesMax; the result points to it or to `text`.
[[nodiscard]] std::string_view stored_key(KeyKind kind, std::string_view text, char* buffer);
/// The same for an id of which it is known whether it is a UUID.
[[nodiscard]] std::string_view stored_id_key(std::string_view text, const std::optional<Uuid>& uuid, char* buffer);

}  // namespace stele
