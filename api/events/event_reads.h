#pragma once
// GET /v1/events and the resources of one event. All but parsing may block on a cold disk: read pool.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/access/principal.h"
#include "api/endpoint/options.h"
#include "api/endpoint/record_list.h"
#include "api/http/http.h"
#include "api/http/negotiation.h"
#include "api/http/problem.h"
#include "engine/store/store.h"

namespace stele::api {

/// What a list of events was asked for.
struct EventListRequest : RecordListRequest {
  std::optional<Position> min_position;
  SchemaVersionChoice version;  ///< that events are shown in
};

/// `store` is the id of the one that will be read.
[[nodiscard]] std::variant<EventListRequest, Problem> parse_event_list(const Request& request, const AcceptedForm& form,
                                                                       const Limits& limits, const Uuid& store,
                                                                       const EventNotes* notes);

/// A page, or a stream of lines up to the head of now. Neither a page nor a piece of the stream examines more than
/// `options.read_limits` allow, or goes on for long once `asker` is abandoned, which must outlive the answer.
[[nodiscard]] std::variant<Response, Problem> list_events(const Store& store, const EventListRequest& request,
                                                          const Request& asker, const ServiceOptions& options);

/// An event outside the caller's limit is answered as if there was none. 422 `upcast-failed` if it cannot be shown in
/// the version that is wanted, which may take a script; 400 if there is no such one.
[[nodiscard]] std::variant<Response, Problem> show_event(const Store& store, const Caller& caller,
                                                         std::string_view event_id, SchemaVersionChoice version,
                                                         const EventNotes* notes, const Request& asker);
/// The data member alone, byte for byte.
[[nodiscard]] std::variant<Response, Problem> show_event_data(const Store& store, const Caller& caller,
                                                              std::string_view event_id);

}  // namespace stele::api
