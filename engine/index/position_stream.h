#pragma once
// Ordered streams of positions that combine: one posting list, a union, an intersection (leapfrog: each list in turn jumps to the
// candidate of the others, so that the cost follows the rarest list; Veldhuizen, "Leapfrog Triejoin", 2014), or a whole range.

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/index/index_set.h"

namespace stele {

/// Seeks move only forward in the stream's direction.
class PositionStream {
 public:
  virtual ~PositionStream() = default;
  /// The first position of the stream at `at` or behind it in the stream's direction; none at the end. Corrupt or Io: the index is
  /// damaged.
  [[nodiscard]] virtual Result<std::optional<Position>> seek(Position at) = 0;
  /// Those behind the position that seek() has found last that are known without looking for them; valid until the next seek().
  [[nodiscard]] virtual std::span<const Position> ahead() const { return {}; }
};

/// What bounds and directs every stream of one query. `view` must outlive the streams.
struct StreamRange {
  const IndexView* view;
  Position begin;  ///< inclusive
  Position end;    ///< exclusive
  Direction direction;

  [[nodiscard]] bool contains(Position p) const { return begin <= p && p < end; }
};

[[nodiscard]] std::unique_ptr<PositionStream> all_positions(StreamRange range);
[[nodiscard]] std::unique_ptr<PositionStream> positions_with(StreamRange range, IndexKey key);
[[nodiscard]] std::unique_ptr<PositionStream> union_of(Direction direction,
                                                       std::vector<std::unique_ptr<PositionStream>> streams);
[[nodiscard]] std::unique_ptr<PositionStream> intersection_of(Direction direction,
                                                              std::vector<std::unique_ptr<PositionStream>> streams);

}  // namespace stele
