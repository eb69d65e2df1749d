#include "api/endpoint/visible_event.h"

#include "api/http/bounded_read.h"
#include "engine/base/uuid.h"

namespace stele::api {

std::optional<Problem> read_visible_event(const ReadView& view, const Caller& caller, std::string_view event_id,
                                          Record& record) {
  const auto id = parse_uuid(event_id);
  if (!id) return Problem("event-not-found", "Event ids are UUIDs; this is none.");
  const auto position = view.find_event(*id);
  if (!position) return read_failed();
  if (*position && !view.read(**position, record)) return read_failed();
  if (!*position || !caller.may_see(record.header())) {
    return Problem("event-not-found", "No event has the id " + to_string(*id) + ".");
  }
  return std::nullopt;
}

}  // namespace stele::api
