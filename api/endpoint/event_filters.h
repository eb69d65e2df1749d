#pragma once
// What lists and streams of events are asked for: the filters in the query of a request, and what of them the caller
// may ask.

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "api/endpoint/call.h"
#include "api/http/parameters.h"
#include "engine/index/query.h"

namespace stele::api {

inline constexpr std::uint64_t kPositionMax = std::numeric_limits<std::int64_t>::max();

/// The parameters that every list and stream of events has.
[[nodiscard]] std::span<const std::string_view> event_filter_names();
/// Reads them, and `schemaVersion`, which decides nothing yet. What is wrong with them is for `parameters` to tell.
[[nodiscard]] EventQuery read_event_filters(Parameters& parameters);

/// Narrows a query to what the caller may see; answers and gives false if it may not ask this at all.
template <class Query>
[[nodiscard]] bool may_list(Call& call, Query& query) {
  const Caller& caller = call.caller();
  if (query.include_system && !caller.may(Permission::Audit)) {
    call.fail(insufficient_role(caller, "includeSystem")
                  .error({"parameter", "includeSystem", "Needs the role auditor or admin.", {}}));
    return false;
  }
  caller.restrict(query);
  return true;
}

}  // namespace stele::api
