#pragma once
// The bodies of whoever pulls: for events, and about those that they were given.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/endpoint/options.h"
#include "api/http/problem.h"
#include "engine/base/ids.h"

namespace stele::api {

struct PullRequest {
  std::size_t limit = 100;             ///< events at most
  std::chrono::milliseconds wait{0};   ///< for the first one
  std::chrono::milliseconds lease{0};  ///< how long nobody else is given them
};
[[nodiscard]] std::variant<PullRequest, Problem> parse_pull_request(std::string_view body,
                                                                    const SubscriptionLimits& limits);

/// About a lease: that its events are done (ack), are not (nack), or take longer (extend).
struct LeaseRequest {
  enum class Kind { Ack, Nack, Extend };
  std::string lease_id;
  std::optional<std::vector<Uuid>> event_ids{};      ///< none: all that it has
  std::optional<std::chrono::milliseconds> delay{};  ///< of a nack: before they are given to anybody again
  std::chrono::milliseconds lease{0};                ///< of an extend: from now on
};
[[nodiscard]] std::variant<LeaseRequest, Problem> parse_lease_request(std::string_view body, LeaseRequest::Kind kind,
                                                                      const SubscriptionLimits& limits);

}  // namespace stele::api
