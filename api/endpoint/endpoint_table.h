#pragma once
// All endpoints, and which of them a path and a method name.

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/endpoint/endpoint.h"

namespace stele::api {

/// Parameters of one pattern.
inline constexpr std::size_t kPathParametersMax = 4;
/// Patterns of one table.
inline constexpr std::size_t kRoutesMax = 128;

/// A pattern, with the endpoints that are its methods. Made by the table only, and never changed after the last line
/// was added.
struct Route {
  std::string_view pattern;                    ///< as registered: `/v1/events/{eventId}`
  std::vector<std::string_view> parameters;    ///< their names, from left to right
  std::string label;                           ///< for metrics and logs: `/v1/events/{}`
  std::string allow;                           ///< value of the Allow field
  std::size_t number = 0;                      ///< from 1, by registration
  std::array<const Endpoint*, 6> endpoints{};  ///< by method; null = there is none

  /// That of GET for HEAD; null if there is none, and for OPTIONS, which every route has.
  [[nodiscard]] const Endpoint* endpoint(Method method) const;
};

/// What find() gives.
struct RouteMatch {
  const Route* route = nullptr;  ///< null = nothing is at this path
  /// Of the path, as sent: the segments that stand for the parameters of the route.
  std::array<std::string_view, kPathParametersMax> segments{};
};

/// Filled before traffic begins; from then on any thread finds.
class EndpointTable {
 public:
  EndpointTable() = default;
  EndpointTable(const EndpointTable&) = delete;
  EndpointTable& operator=(const EndpointTable&) = delete;

  /// A line that objection() is against is a programmer's error.
  void add(std::vector<Endpoint> lines);
  /// Why this must not be another line: a pattern or method that is none, one that is there already, or a pattern that
  /// differs from another in the names of its parameters only. Empty = it may.
  [[nodiscard]] std::string objection(const Endpoint& line) const;

  /// Segment by segment from the left, and at each a literal wins over a parameter; if nothing follows behind the
  /// literal, the parameter has its turn, and last `{name...}`. A parameter is never empty. Takes no memory; its time
  /// is bounded by the patterns and the length of the path.
  [[nodiscard]] RouteMatch find(std::string_view path) const noexcept;

  [[nodiscard]] const std::deque<Route>& routes() const { return routes_; }
  [[nodiscard]] const std::deque<Endpoint>& endpoints() const { return endpoints_; }
  /// The methods that some route has, as Allow lists them.
  [[nodiscard]] const std::string& methods() const { return methods_; }

 private:
  /// Where a path may go on.
  struct Node {
    std::string_view segment;
    std::vector<Node> literals;
    std::unique_ptr<Node> parameter;
    Route* route = nullptr;  ///< of the pattern that ends here
  };

  [[nodiscard]] static const Node* descend(const Node& from, std::string_view pattern);
  [[nodiscard]] Node& grow(std::string_view pattern);
  [[nodiscard]] static const Route* match(const Node& node, std::string_view rest, RouteMatch& found,
                                          std::size_t parameters) noexcept;

  Node root_;
  std::deque<Endpoint> endpoints_;
  std::deque<Route> routes_;
  std::string methods_;
};

}  // namespace stele::api
