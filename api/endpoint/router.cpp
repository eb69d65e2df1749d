#include "api/endpoint/router.h"

#include <algorithm>
#include <array>

#include "api/http/percent.h"

namespace stele::api {

namespace {

constexpr std::string_view kReadOnly = "GET, HEAD, OPTIONS";

constexpr std::array kRoutes{
    Route{Resource::Events, "/v1/events", "GET, HEAD, POST, OPTIONS", true, true, Permission::Read, Permission::Append},
    Route{Resource::Event, "/v1/events/{}", kReadOnly, true, false, Permission::Read},
    Route{Resource::EventData, "/v1/events/{}/data", kReadOnly, true, false, Permission::Read},
    Route{Resource::Head, "/v1/head", kReadOnly, true, false, Permission::Read},
    Route{Resource::Aggregates, "/v1/aggregates", kReadOnly, true, false, Permission::Read},
    Route{Resource::Aggregate, "/v1/aggregates/{}", kReadOnly, true, false, Permission::Read},
    Route{Resource::Health, "/healthz", kReadOnly, true, false, Permission::Open},
    Route{Resource::Ready, "/readyz", kReadOnly, true, false, Permission::Open},
    Route{Resource::Metrics, "/metrics", kReadOnly, true, false, Permission::Audit},
    Route{Resource::OpenApi, "/openapi.json", kReadOnly, true, false, Permission::Open},
    Route{Resource::Problems, "/problems", kReadOnly, true, false, Permission::Open},
    Route{Resource::Problem, "/problems/{}", kReadOnly, true, false, Permission::Open},
};

std::string_view take_segment(std::string_view& path) {
  const std::size_t end = std::min(path.find('/', 1), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

/// Compares segment by segment; `parameter` gets the one that stands for `{}`, with its slash.
bool matches(std::string_view pattern, std::string_view path, std::string_view& parameter) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view expected = take_segment(pattern);
    const std::string_view given = take_segment(path);
    if (expected == "/{}") {
      if (given.size() < 2) return false;
      parameter = given;
    } else if (expected != given) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

const Route& route_of(Resource resource) {
  const auto found =
      std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& route) { return route.resource == resource; });
  STELE_CHECK(found != kRoutes.end());
  return *found;
}

std::variant<RouteMatch, RouteError> find_route(std::string_view path) {
  for (const Route& route : kRoutes) {
    std::string_view raw;
    if (!matches(route.pattern, path, raw)) continue;
    if (raw.empty()) return RouteMatch{&route, {}};
    auto parameter = percent_decode(raw.substr(1), PlusMeans::Plus);
    if (!parameter) return RouteError::BadEncoding;
    return RouteMatch{&route, std::move(*parameter)};
  }
  return RouteError::Unknown;
}

bool allows(const Route& route, Method method) {
  switch (method) {
    case Method::Get:
    case Method::Head:
      return route.reads;
    case Method::Post:
      return route.appends;
    case Method::Options:
      return true;
    default:
      return false;
  }
}

Permission needed_for(const Route& route, Method method) {
  switch (method) {
    case Method::Get:
    case Method::Head:
      return route.read;
    case Method::Post:
      return route.append;
    case Method::Options:
      return Permission::Open;  // a browser asks before it sends credentials
    default:
      return Permission::Administer;
  }
}

}  // namespace stele::api
