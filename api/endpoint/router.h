#pragma once
// Which resource a path names.

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/access/role.h"
#include "api/http/http.h"

namespace stele::api {

enum class Resource {
  Events,
  Event,
  EventData,
  Head,
  Aggregates,
  Aggregate,
  Health,
  Ready,
  Metrics,
  OpenApi,
  Problems,
  Problem
};

struct Route {
  Resource resource;
  std::string_view pattern;  ///< `{}` stands for one segment, percent-encoded
  std::string_view allow;    ///< value of the Allow field
  bool reads = true;         ///< has GET and HEAD
  bool appends = false;      ///< has POST
  // What a caller must be allowed to; for admins alone unless a route says otherwise.
  Permission read = Permission::Administer;    ///< for GET and HEAD
  Permission append = Permission::Administer;  ///< for POST
};

/// All resources.
[[nodiscard]] std::span<const Route> routes();
[[nodiscard]] const Route& route_of(Resource resource);

[[nodiscard]] const Route& route_of(Resource resource);

struct RouteMatch {
  const Route* route;
  std::string parameter;  ///< the decoded segment, if the pattern has one
};

enum class RouteError { Unknown, BadEncoding };

[[nodiscard]] std::variant<RouteMatch, RouteError> find_route(std::string_view path);

[[nodiscard]] bool allows(const Route& route, Method method);
/// What a method that the route has needs.
[[nodiscard]] Permission needed_for(const Route& route, Method method);

}  // namespace stele::api
