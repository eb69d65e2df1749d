#pragma once
// The `condition` of an append: the aggregates whose last number is expected, and the events that must not be there.

#include <simdjson.h>

#include <cstddef>
#include <string>

#include "api/endpoint/options.h"
#include "api/events/event_errors.h"
#include "engine/commit/proposal.h"

namespace stele::api {

/// Reads one condition. Unlike an event it needs no bytes of the body: all of it is in simdjson's tree.
class ConditionParser {
 public:
  ConditionParser(const Limits& limits, EventErrors& errors, Condition& to)
      : limits_(limits), errors_(errors), to_(to) {}

  /// After an error the condition is meaningless.
  void parse(const simdjson::dom::element& value);

 private:
  /// Calls `read` with each object of a list, and its pointer.
  template <class Read>
  void each(const simdjson::dom::element& value, const std::string& pointer, Read read);
  /// Counts one more value; false, and an error, if there are too many.
  [[nodiscard]] bool count(const std::string& pointer);
  void aggregate(const simdjson::dom::object& object, const std::string& pointer);
  void match(const simdjson::dom::object& object, const std::string& pointer);

  const Limits& limits_;
  EventErrors& errors_;
  Condition& to_;
  std::size_t values_ = 0;
};

}  // namespace stele::api
