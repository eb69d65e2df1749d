#pragma once
// The description of the HTTP API, embedded from openapi.yaml when the program is built.

#include <string_view>

namespace stele::api {

/// OpenAPI 3.1 as JSON, in static storage.
[[nodiscard]] std::string_view openapi_json();

}  // namespace stele::api
