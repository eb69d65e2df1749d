#pragma once
// One event of a request: a JSON object to an RecordDraft.

#include <simdjson.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/endpoint/options.h"
#include "api/events/append_context.h"
#include "api/events/event_errors.h"
#include "api/json/json_text.h"
#include "engine/base/clock.h"
#include "engine/commit/proposal.h"

namespace stele::api {

/// Reads the events of one request, one after the other.
class EventParser {
 public:
  EventParser(const Limits& limits, const AppendContext& context, const Clock& clock, EventErrors& errors)
      : limits_(limits), context_(context), clock_(clock), errors_(errors) {}

  /// Fills `draft` (fresh) from `object`, which stands next in the text under `cursor` and is behind it afterwards.
  /// `index` is the event's place in the request. If there are any errors then, `draft` is meaningless.
  void parse(const simdjson::dom::object& object, JsonCursor& cursor, std::size_t index, RecordDraft& draft);

 private:
  bool text(const simdjson::dom::element& value, std::string_view pointer, std::string& to);
  void identifier(const simdjson::dom::element& value, std::string_view pointer, std::string& to);
  void identifier_in_path(const simdjson::dom::element& value, std::string_view pointer, std::string& to);
  void event_type(const simdjson::dom::element& value, std::string& to);
  void occurred_at(const simdjson::dom::element& value, RecordDraft& draft);
  /// Sorted, as the log has them.
  void tags(const simdjson::dom::element& value, std::vector<std::string>& to);
  bool event_id(const simdjson::dom::element& value, RecordDraft& draft);
  void body_member(const JsonSpan& span, std::string_view pointer, std::size_t bytes_max,
                   std::optional<std::string>& to);

  const Limits& limits_;
  const AppendContext& context_;
  const Clock& clock_;
  EventErrors& errors_;
};

}  // namespace stele::api
