#pragma once
// The body that has dead letters tried again.

#include <cstdint>
#include <string_view>
#include <variant>

#include "api/http/problem.h"
#include "api/subscriptions/subscription_status.h"
#include "engine/base/ids.h"

namespace stele::api {

struct RedriveRequest {
  DeadLetterFilter filter{};         ///< nothing given: all of them
  std::uint32_t per_second_max = 0;  ///< 0 = as fast as the subscription goes
  bool dry_run = false;              ///< only tell which
};
/// `now` is what an age is counted from.
[[nodiscard]] std::variant<RedriveRequest, Problem> parse_redrive_request(std::string_view body, Timestamp now);

}  // namespace stele::api
