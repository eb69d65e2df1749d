#pragma once
// How a registration stands, or has ended: what the log says of a candidate.

#include <optional>
#include <string>

#include "api/schemas/schema_candidates.h"
#include "api/schemas/schema_registry.h"
#include "engine/base/result.h"
#include "engine/store/read_view.h"

namespace stele::api {

/// `{"eventType","version","position","state"}`, with `checked`, `failed` and `failures` as far as they are known. The
/// state is `checking`, `registered`, or why it was dropped. None if no candidate of the type has that position. What
/// it says has ended is known to the registry by then. May wait for the disk.
[[nodiscard]] Result<std::optional<std::string>> candidate_status(const ReadView& view, const std::string& event_type,
                                                                  Position position, const SchemaCandidates& candidates,
                                                                  SchemaRegistry& registry);

}  // namespace stele::api
