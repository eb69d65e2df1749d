#pragma once
// States and handlers as the API shows them.

#include <optional>
#include <string>

#include "api/json/json_writer.h"
#include "api/replay/handler_registry.h"
#include "api/replay/replayer.h"
#include "engine/index/query.h"

namespace stele::api {

/// The answer of a replay. `diff` is a JSON Patch.
[[nodiscard]] std::string replay_json(const AggregateSummary& aggregate, const EventHandler& handler,
                                      const Replayed& replayed, const std::optional<std::string>& diff);
/// A folded snapshot.
[[nodiscard]] std::string snapshot_json(const AggregateSummary& aggregate, const EventHandler& handler,
                                        const FoldedState& state);
/// `{"name","version","pure"}`.
void append_handler_json(JsonWriter& json, const EventHandler& handler);

/// One name in a list of handlers, by its newest version.
void append_listed_json(JsonWriter& json, const HandlerRegistry::Listed& listed);
/// A name with all its versions.
[[nodiscard]] std::string versions_json(const HandlerRegistry::Listed& listed);
/// One version; with the source if it is given.
void append_version_json(JsonWriter& json, const HandlerVersion& version, const std::optional<std::string>& source);

}  // namespace stele::api
