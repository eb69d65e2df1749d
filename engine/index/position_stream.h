#pragma once
// Ordered streams of positions that combine: one posting list, a union, an intersection (leapfrog: each list in turn
// jumps to the candidate of the others, so that the cost follows the rarest list; Veldhuizen, "Leapfrog Triejoin",
// 2014), or a whole range. All of them count their work, and once the budget is used up they come back with how far
// they got.

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/read_budget.h"
#include "engine/index/index_set.h"

namespace stele {

/// Seeks move only forward in the stream's direction.
class PositionStream {
 public:
  virtual ~PositionStream() = default;
  /// The first position of the stream at `at` or behind it in the stream's direction; none at the end. Corrupt or Io:
  /// the index is damaged. When the budget is used up: a position behind `at` that may be none of the stream's, but
  /// none of the stream's is before it. `at` itself is only given if it is one.
  [[nodiscard]] virtual Result<std::optional<Position>> seek(Position at) = 0;
  /// Those behind the position that seek() has found last that are known without looking for them; valid until the next
  /// seek().
  [[nodiscard]] virtual std::span<const Position> ahead() const { return {}; }
};

/// What bounds and directs every stream of one query. `view` must outlive the streams.
struct StreamRange {
  const IndexView* view;
  Position begin;  ///< inclusive
  Position end;    ///< exclusive
  Direction direction;
  ReadBudget* budget = nullptr;  ///< none = no bound; must outlive the streams

  [[nodiscard]] bool contains(Position p) const { return begin <= p && p < end; }
};

[[nodiscard]] std::unique_ptr<PositionStream> all_positions(StreamRange range);
/// All but the store's own records.
[[nodiscard]] std::unique_ptr<PositionStream> visible_positions(StreamRange range);
[[nodiscard]] std::unique_ptr<PositionStream> positions_with(StreamRange range, IndexKey key);
/// At least the events whose occurredAt lies in one of the UTC days [first, last], of which there may be any number.
/// Others come as well from where the index has too many days to look through, or most events are in question.
[[nodiscard]] std::unique_ptr<PositionStream> positions_of_days(StreamRange range, std::int64_t first,
                                                                std::int64_t last);
[[nodiscard]] std::unique_ptr<PositionStream> union_of(Direction direction,
                                                       std::vector<std::unique_ptr<PositionStream>> streams);
[[nodiscard]] std::unique_ptr<PositionStream> intersection_of(StreamRange range,
                                                              std::vector<std::unique_ptr<PositionStream>> streams);

}  // namespace stele
