#include "api/access/cors.h"

#include <algorithm>

namespace stele::api {

void add_cors(const std::vector<std::string>& origins, std::string_view origin, std::string_view offered_methods,
              Response& response) {
  if (origins.empty()) return;
  response.headers.emplace_back("Vary", "Origin");
  if (origin.empty()) return;
  const auto allowed = [&](const std::string& configured) { return configured == "*" || configured == origin; };
  if (std::none_of(origins.begin(), origins.end(), allowed)) return;
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

}  // namespace stele::api
