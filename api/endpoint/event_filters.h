#pragma once
// What lists and streams of events are asked for: the filters in the query of a request, and what of them the caller
// may ask.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/endpoint/call.h"
#include "api/http/parameters.h"
#include "api/records/event_upcasts.h"
#include "engine/index/query.h"

namespace stele::api {

struct EventNotes;

inline constexpr std::uint64_t kPositionMax = std::numeric_limits<std::int64_t>::max();

/// The parameters that every list and stream of events has.
[[nodiscard]] std::span<const std::string_view> event_filter_names();
/// Reads them, but for `schemaVersion`. What is wrong with them is for `parameters` to tell.
[[nodiscard]] EventQuery read_event_filters(Parameters& parameters);

/// Reads `schemaVersion`.
[[nodiscard]] SchemaVersionChoice read_schema_version(Parameters& parameters);
/// The newest version that events of these types (none = all) can be shown in. Cheap.
[[nodiscard]] std::uint32_t newest_schema_version(const EventNotes* notes, std::vector<std::string> event_types);
/// Why events of these types cannot be wanted in that version; empty: they can.
[[nodiscard]] std::string version_objection(SchemaVersionChoice choice, const EventNotes* notes,
                                            const std::vector<std::string>& event_types);

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
