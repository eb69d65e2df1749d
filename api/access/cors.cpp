#include "api/access/cors.h"

#include <algorithm>

namespace stele::api {

namespace {

bool is_one_of(const std::vector<std::string>& origins, std::string_view origin) {
  return std::any_of(origins.begin(), origins.end(),
                     [&](const std::string& configured) { return configured == "*" || configured == origin; });
}

}  // namespace

void add_cors(const std::vector<std::string>& origins, std::string_view origin, std::string_view offered_methods,
              Response& response) {
  if (origins.empty()) return;
  response.headers.emplace_back("Vary", "Origin");
  if (origin.empty()) return;
  if (!is_one_of(origins, origin)) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  response.headers.emplace_back(
      "Access-Control-Expose-Headers",
      "Location, Link, Retry-After, X-Correlation-Id, X-Request-Id, Idempotent-Replayed, Allow, "
      "WWW-Authenticate");
  if (!offered_methods.empty()) {
    response.headers.emplace_back("Access-Control-Allow-Methods", std::string(offered_methods));
    response.headers.emplace_back("Access-Control-Allow-Headers",
                                  "Content-Type, Content-Encoding, Accept, Authorization, Idempotency-Key, "
                                  "X-Correlation-Id, traceparent, tracestate");
    response.headers.emplace_back("Access-Control-Max-Age", "600");
  }
}

bool may_connect_from(const Request& request, const std::vector<std::string>& origins) {
  if (!request.has_header("Origin")) return true;
  const std::string_view origin = request.header("Origin");
  if (is_one_of(origins, origin)) return true;
  // Through a proxy it may be reached by another scheme than the one it speaks.
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && !request.authority().empty() &&
         origin.substr(scheme + 3) == request.authority();
}

}  // namespace stele::api
