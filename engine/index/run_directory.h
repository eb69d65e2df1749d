#pragma once
// The directory of an index run: what the file covers and where its tables are. Bytes: format-spec.md ("Run").

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/index/index_part.h"
#include "engine/index/replay_point.h"
#include "engine/table/sorted_table.h"

namespace stele {

inline constexpr PageFileKind kRunFile{"STELERUN", 1};

/// One table for each kind of key, in this order, then one from event ids to ordinals and one of the aggregates that
/// begin in the run and have a type (typed_aggregate_key()), without values.
inline constexpr std::size_t kRunTables = kKeyKinds + 2;
inline constexpr auto kAggregateTable = static_cast<std::size_t>(KeyKind::Aggregate);
inline constexpr std::size_t kEventIdTable = kKeyKinds;
inline constexpr std::size_t kTypedAggregateTable = kKeyKinds + 1;

struct RunDirectory {
  Position first;
  Position end;
  std::uint64_t filter_seed = 0;
  std::uint64_t times_offset = 0;  ///< samples of (u64 ordinal, i64 time), the first of ordinal 0
  std::uint64_t times_count = 0;
  std::array<TableRoot, kRunTables> tables;
  /// Absent in runs that were made again in the middle of the log.
  std::optional<ReplayPoint> replay;
  /// Records from `tail_first` to the end stand in the segment of the replay point; u32 offsets in the file.
  Position tail_first;
  std::uint64_t tail_offset = 0;

  [[nodiscard]] std::string encode() const;
  /// Corrupt if it is malformed.
  [[nodiscard]] static Result<RunDirectory> decode(std::string_view bytes);
};

/// What the value of an aggregate's key begins with; its posting list follows.
struct StoredAggregate {
  SequenceNumber first_sequence;
  SequenceNumber last_sequence;
  Timestamp first_time;
  Timestamp last_time;
  std::uint32_t last_ordinal = 0;
  std::optional<std::string_view> type;

  void encode(std::string& to) const;
  /// Takes one from the front; false if it is malformed. `type` borrows from `from`.
  [[nodiscard]] static bool decode(std::string_view& from, StoredAggregate& to);
};

}  // namespace stele
