#pragma once
// What a live stream was asked for.

#include <variant>

#include "api/http/http.h"
#include "api/http/problem.h"
#include "engine/index/query.h"
#include "engine/store/store.h"

namespace stele::api {

/// The filters of a list, from where `start` or the field Last-Event-ID says. The query's `after` is set unless it
/// begins at the beginning.
[[nodiscard]] std::variant<EventQuery, Problem> parse_stream_request(const Request& request, const Store& store);

}  // namespace stele::api
