#pragma once
// What lets pages of other origins read answers (CORS, in the Fetch standard).

#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"

namespace stele::api {

/// Adds the fields for a request from `origin` (its field Origin; empty = none), if it is one of `origins`; "*" there
/// is any. `offered_methods` is for an answer to OPTIONS: all methods there are; else empty.
void add_cors(const std::vector<std::string>& origins, std::string_view origin, std::string_view offered_methods,
              Response& response);

/// Whether a request may begin a conversation that browsers do not guard: it comes from no page, from a page of this
/// very server, or from one of `origins`.
[[nodiscard]] bool may_connect_from(const Request& request, const std::vector<std::string>& origins);

}  // namespace stele::api
