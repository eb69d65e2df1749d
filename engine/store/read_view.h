#pragma once
// The reading side of a store.

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "engine/base/ids.h"
#include "engine/base/read_budget.h"
#include "engine/base/result.h"
#include "engine/index/query.h"
#include "engine/log/record.h"

namespace stele {

/// Runs through the matches of a query in order. Lives at most as long as its view; one thread at a time.
class EventStream {
 public:
  virtual ~EventStream() = default;
  /// Reads the next match into `to`; false at the end, or once the budget is used up. Corrupt or Io if the stored bytes
  /// cannot be trusted or read.
  [[nodiscard]] virtual Result<bool> next(Record& to) = 0;
  /// After next() has given false: the last position that was examined, if the budget has ended it there. Whatever is
  /// left lies behind it, in the direction of the query.
  [[nodiscard]] virtual std::optional<Position> rest_behind() const = 0;
};

/// A consistent view of everything that was durable when it was taken. Cheap to take; keeps mapped segments alive while
/// it lives. All calls may run on any thread, and may block on a cold disk.
class ReadView {
 public:
  virtual ~ReadView() = default;
  /// One past the last readable position.
  [[nodiscard]] virtual Position end() const = 0;
  // Corrupt or Io from any of these: stored bytes or the index over them are damaged or cannot be read.
  /// NotFound for a position at or past end().
  [[nodiscard]] virtual Status read(Position position, Record& to) const = 0;
  [[nodiscard]] virtual Result<std::optional<Position>> find_event(const Uuid& event_id) const = 0;
  [[nodiscard]] virtual Result<std::optional<AggregateSummary>> aggregate(std::string_view aggregate_id) const = 0;
  // The budget (null = none) ends what may examine very much; it must outlive the stream.
  /// In byte order of the id; at most `limit`.
  [[nodiscard]] virtual Result<AggregateList> aggregates(const AggregateQuery& query, std::size_t limit,
                                                         ReadBudget* budget = nullptr) const = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<EventStream>> query(const EventQuery& query,
                                                                   ReadBudget* budget = nullptr) const = 0;
};

}  // namespace stele
