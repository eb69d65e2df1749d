#pragma once
// Events of the store itself: its own state is kept in `$…` aggregates of the same log (`$handler/<type>`, …), so that
// a change of it is as durable, ordered and provable as any event.

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

/// `prefix` (such as `$handler/`) and `name`. A name that does not fit into an aggregate id ends in `sha256:` and the
/// hex digest of what does not, so the name itself must stand in the events' data too.
[[nodiscard]] std::string own_aggregate_id(std::string_view prefix, std::string_view name);

/// One event of a `$` aggregate; `data` is JSON. The caller is its user and principal.
[[nodiscard]] RecordDraft own_event(std::string aggregate_id, std::string aggregate_type, std::string event_type,
                                    std::string data, const Caller& caller, const std::string& correlation,
                                    const Clock& clock);

/// Where an own event was stored.
struct OwnEventPlace {
  Position position;
  SequenceNumber sequence;
  Timestamp time;
};
/// Appends it and waits until it is durable. May block: not on an I/O thread.
[[nodiscard]] std::variant<OwnEventPlace, Problem> append_own_event(Store& store, RecordDraft event);
/// All of them, or none; the place is that of the first.
[[nodiscard]] std::variant<OwnEventPlace, Problem> append_own_events(Store& store, std::vector<RecordDraft> events);

}  // namespace stele::api
