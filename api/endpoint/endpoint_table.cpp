#include "api/endpoint/endpoint_table.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace stele::api {

namespace {

constexpr std::array kMethods = {Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete};

/// Takes the first segment away, without its slash.
std::string_view take_segment(std::string_view& path) {
  const std::size_t end = std::min(path.find('/', 1), path.size());
  const std::string_view segment = path.substr(1, end - 1);
  path.remove_prefix(end);
  return segment;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

constexpr std::string_view kRestMark = "...}";

/// Whether the last segment of a pattern, or the only one, stands for all that follows.
bool takes_rest(std::string_view pattern) { return pattern.ends_with(kRestMark); }

/// Of a segment that is a parameter.
std::string_view name_of_parameter(std::string_view segment) {
  const std::string_view name = segment.substr(1, segment.size() - 2);
  return takes_rest(segment) ? name.substr(0, segment.size() - 1 - kRestMark.size()) : name;
}

/// The value of Allow for what has an endpoint for the methods that `has` is true for.
template <class Has>
std::string allow_of(Has has) {
  std::string allow;
  if (has(Method::Get)) allow += "GET, HEAD, ";
  if (has(Method::Post)) allow += "POST, ";
  if (has(Method::Put)) allow += "PUT, ";
  if (has(Method::Patch)) allow += "PATCH, ";
  if (has(Method::Delete)) allow += "DELETE, ";
  return allow + "OPTIONS";
}

/// What is wrong with a pattern by itself.
std::string error_of(std::string_view pattern) {
  if (!pattern.starts_with('/')) return "does not begin with a slash";
  std::vector<std::string_view> names;
  while (!pattern.empty()) {
    const std::string_view segment = take_segment(pattern);
    if (segment.empty()) return "has an empty segment";
    if (segment.find_first_of("{}") == std::string_view::npos) continue;
    if (segment.size() < 3 || segment.front() != '{' || segment.find_first_of("{}", 1) != segment.size() - 1) {
      return "has a parameter that is not a whole segment, or has no name";
    }
    if (takes_rest(segment) && !pattern.empty()) return "goes on behind a parameter for all that follows";
    const std::string_view name = name_of_parameter(segment);
    if (name.empty()) return "has a parameter that is not a whole segment, or has no name";
    if (std::find(names.begin(), names.end(), name) != names.end()) return "has two parameters of one name";
    names.push_back(name);
  }
  return names.size() > kPathParametersMax ? "has too many parameters" : "";
}

}  // namespace

const Endpoint* Route::endpoint(Method method) const {
  if (method == Method::Head) method = Method::Get;
  const auto index = static_cast<std::size_t>(method);
  return index < endpoints.size() ? endpoints[index] : nullptr;
}

const EndpointTable::Node* EndpointTable::descend(const Node& from, std::string_view pattern) {
  const Node* node = &from;
  while (node != nullptr && !pattern.empty()) {
    const std::string_view segment = take_segment(pattern);
    if (is_parameter(segment)) {
      node = node->parameter.get();
    } else {
      const auto found = std::find_if(node->literals.begin(), node->literals.end(),
                                      [&](const Node& literal) { return literal.segment == segment; });
      node = found == node->literals.end() ? nullptr : &*found;
    }
  }
  return node;
}

EndpointTable::Node& EndpointTable::grow(std::string_view pattern) {
  Node* node = &root_;
  while (!pattern.empty()) {
    const std::string_view segment = take_segment(pattern);
    if (is_parameter(segment)) {
      if (node->parameter == nullptr) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    } else {
      const auto found = std::find_if(node->literals.begin(), node->literals.end(),
                                      [&](const Node& literal) { return literal.segment == segment; });
      if (found != node->literals.end()) {
        node = &*found;
      } else {
        node->literals.emplace_back().segment = segment;
        node = &node->literals.back();
      }
    }
  }
  return *node;
}

std::string EndpointTable::objection(const Endpoint& line) const {
  if (std::find(kMethods.begin(), kMethods.end(), line.method) == kMethods.end())
    return "the method cannot be registered";
  if (std::string error = error_of(line.pattern); !error.empty()) return "the pattern " + error;
  if (!line.handler) return "there is no handler";
  const Node* const node = descend(root_, line.pattern);
  if (node == nullptr || node->route == nullptr)
    return routes_.size() < kRoutesMax ? "" : "there are too many patterns";
  if (node->route->pattern != line.pattern) return "another pattern differs in the names of parameters only";
  return node->route->endpoint(line.method) == nullptr ? "" : "it is there already";
}

void EndpointTable::add(std::vector<Endpoint> lines) {
  for (Endpoint& line : lines) {
    if (const std::string why = objection(line); !why.empty()) {
      check_failed((std::string(line.pattern) + ": " + why).c_str(), __FILE__, __LINE__);
    }
    const Endpoint& endpoint = endpoints_.emplace_back(std::move(line));
    Node& node = grow(endpoint.pattern);
    if (node.route == nullptr) {
      Route& route = routes_.emplace_back();
      route.pattern = endpoint.pattern;
      route.number = routes_.size();
      for (std::string_view rest = endpoint.pattern; !rest.empty();) {
        const std::string_view segment = take_segment(rest);
        if (is_parameter(segment)) route.parameters.push_back(name_of_parameter(segment));
        route.label.append("/").append(is_parameter(segment) ? "{}" : segment);
      }
      node.route = &route;
    }
    Route& route = *node.route;
    route.endpoints[static_cast<std::size_t>(endpoint.method)] = &endpoint;
    route.allow = allow_of([&](Method method) { return route.endpoint(method) != nullptr; });
  }
  methods_ = allow_of([&](Method method) {
    return std::any_of(endpoints_.begin(), endpoints_.end(),
                       [&](const Endpoint& each) { return each.method == method; });
  });
}

const Route* EndpointTable::match(const Node& node, std::string_view rest, RouteMatch& found,
                                  std::size_t parameters) noexcept {
  if (rest.empty()) return node.route;
  const std::string_view all = rest.substr(1);
  const std::string_view segment = take_segment(rest);
  for (const Node& literal : node.literals) {
    if (literal.segment != segment) continue;
    if (const Route* const route = match(literal, rest, found, parameters)) return route;
    break;
  }
  if (node.parameter == nullptr || segment.empty()) return nullptr;
  found.segments[parameters] = segment;
  if (const Route* const route = match(*node.parameter, rest, found, parameters + 1)) return route;
  const Route* const route = node.parameter->route;
  if (route == nullptr || !takes_rest(route->pattern)) return nullptr;
  found.segments[parameters] = all;
  return route;
}

RouteMatch EndpointTable::find(std::string_view path) const noexcept {
  RouteMatch found;
  if (path.starts_with('/')) found.route = match(root_, path, found, 0);
  return found;
}

}  // namespace stele::api
