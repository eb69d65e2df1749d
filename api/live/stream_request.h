#pragma once
// What a live stream was asked for.

#include <variant>

#include "api/http/http.h"
#include "api/http/problem.h"
#include "api/records/event_upcasts.h"
#include "engine/index/query.h"
#include "engine/store/store.h"

namespace stele::api {

struct EventNotes;

struct StreamRequest {
  EventQuery query;
  SchemaVersionChoice version;  ///< that events are shown in
};

/// The filters of a list, from where `start` or the field Last-Event-ID says. The query's `after` is set unless it
/// begins at the beginning.
[[nodiscard]] std::variant<StreamRequest, Problem> parse_stream_request(const Request& request, const Store& store,
                                                                        const EventNotes* notes);

}  // namespace stele::api
