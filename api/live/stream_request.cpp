#include "api/live/stream_request.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "api/endpoint/event_filters.h"
#include "api/http/field_list.h"

namespace stele::api {

namespace {

std::optional<Position> parse_position(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number > kPositionMax) return std::nullopt;
  return Position{number};
}

}  // namespace

std::variant<StreamRequest, Problem> parse_stream_request(const Request& request, const Store& store,
                                                          const EventNotes* notes) {
  constexpr std::string_view kLastEventId = "Last-Event-ID";
  Parameters parameters(request.query(), {"start"}, event_filter_names());
  StreamRequest stream;
  EventQuery& query = stream.query;
  query = read_event_filters(parameters);
  stream.version = read_schema_version(parameters);
  if (auto objection = version_objection(stream.version, notes, query.event_types); !objection.empty()) {
    parameters.refuse("schemaVersion", std::move(objection));
  }
  const Position head{store.durable_end().value() - 1};  // there is a first record always
  std::optional<Position> start = head;
  if (const auto text = parameters.text("start")) {
    if (*text == "beginning") {
      start.reset();
    } else if (*text != "now") {
      start = parse_position(*text);
      if (!start) {
        parameters.refuse("start", "Must be beginning, now, or a position.");
      } else if (*start > head) {
        parameters.refuse("start", "No record has this position yet.");
      }
    }
  }
  if (auto problem = parameters.problem()) return std::move(*problem);
  // An empty one is none: a client that has seen no event yet may send it.
  if (const std::string_view last = trimmed(request.header(kLastEventId)); !last.empty()) {
    const auto refuse = [&](const std::string& detail) {
      return Problem("invalid-header", "Last-Event-ID: " + detail)
          .error({"header", std::string(kLastEventId), detail, {}});
    };
    start = parse_position(last);
    if (!start) return refuse("Must be the id of an event of this stream, which is a position.");
    if (*start > head) return refuse("No record has this position yet: it is that of another store.");
  }
  if (start) query.after = query.after ? std::max(*query.after, *start) : *start;
  return stream;
}

}  // namespace stele::api
