#pragma once
// What openapi.yaml says of each operation, and requests that the endpoints of the table should take.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "api/endpoint/endpoint_table.h"
#include "api/endpoint/traffic_metrics.h"
#include "api/operations/openapi.h"

namespace stele::api::test {

/// `POST /v1/events`; a parameter that stands for several segments is described as one of one segment.
inline std::string name_of(Method method, std::string_view pattern) {
  std::string name = std::string(kMethodNames[static_cast<std::size_t>(method)]) + ' ' + std::string(pattern);
  if (const std::size_t rest = name.rfind("...}"); rest != std::string::npos) name.erase(rest, 3);
  return name;
}

struct Description {
  struct Operation {
    std::set<int> statuses;
    std::set<std::string> roles;  ///< x-roles
    bool is_open = false;         ///< `security: []`: anyone, without credentials too
  };

  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::map<std::string, Operation> operations;  ///< by name_of()

  Description() {
    REQUIRE(parser.parse(simdjson::padded_string(openapi_json())).get(root) == simdjson::SUCCESS);
    const std::map<std::string_view, Method> methods = {
        {"get", Method::Get},     {"head", Method::Head},     {"post", Method::Post},       {"put", Method::Put},
        {"patch", Method::Patch}, {"delete", Method::Delete}, {"options", Method::Options}, {"trace", Method::Other}};
    for (const auto path : simdjson::dom::object(root["paths"])) {
      for (const auto member : simdjson::dom::object(path.value)) {
        const auto method = methods.find(member.key);
        if (method != methods.end()) read(member.value, operations[name_of(method->second, path.key)]);
      }
    }
  }

 private:
  static void read(simdjson::dom::object from, Operation& to) {
    for (const auto response : simdjson::dom::object(from["responses"])) {
      to.statuses.insert(std::stoi(std::string(response.key)));
    }
    simdjson::dom::array list;
    to.is_open = from["security"].get(list) == simdjson::SUCCESS && list.size() == 0;
    if (from["x-roles"].get(list) != simdjson::SUCCESS) return;
    for (const simdjson::dom::element role : list) to.roles.emplace(std::string_view(role));
  }
};

/// The pattern with `parameters` filled in; "1" for one that is not there. With the query that it cannot be asked
/// without.
inline std::string path_of(const Route& route, const std::map<std::string_view, std::string>& parameters) {
  std::string path(route.pattern);
  for (const std::string_view name : route.parameters) {
    const auto found = parameters.find(name);
    const std::size_t at = path.find('{');
    path.replace(at, path.find('}') + 1 - at, found == parameters.end() ? "1" : found->second);
  }
  if (path == "/v1/audit/inclusion") path += "?position=0";
  if (path == "/v1/audit/consistency") path += "?from=1";
  return path;
}

}  // namespace stele::api::test
