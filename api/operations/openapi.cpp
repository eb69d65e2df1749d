#include "api/operations/openapi.h"

namespace stele::api {

namespace {

/// Written by openapi_embed.py: `constexpr unsigned char kOpenApi[]`.
#include "api/openapi_json.inc"

}  // namespace

std::string_view openapi_json() { return {reinterpret_cast<const char*>(kOpenApi), sizeof kOpenApi}; }

}  // namespace stele::api
