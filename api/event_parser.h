#pragma once
// From the bytes of a request body to a Proposal, or to everything that is wrong with them.

#include <optional>
#include <string>
#include <string_view>

#include "api/options.h"
#include "api/problem.h"
#include "engine/commit/proposal.h"

namespace stele::api {

enum class BodyFormat {
  Json,    ///< one event, an array of events, or {"events": […], "condition": {…}}
  Ndjson,  ///< one event a line; empty lines do not count
};

/// What the events of a request inherit from it.
struct AppendContext {
  std::string correlation_id;                  ///< for events that name none themselves
  std::optional<std::string> idempotency_key;  ///< gives ids to the events that have none
  std::string_view caller;                     ///< whose keys they are; empty without authentication
};

/// Fills `to` (fresh) from `body`, which SIMDJSON_PADDING readable bytes must follow. Ids are given, seeds and digests
/// not yet: call EventDraft::seal(). On a refusal `to` is meaningless. Any thread; keeps a parser a thread.
[[nodiscard]] std::optional<Problem> parse_append(std::string_view body, BodyFormat format, const Limits& limits,
                                                  const AppendContext& context, const Clock& clock, Proposal& to);

/// The id of event `index` of a request with an Idempotency-Key: SHA-256 of caller, key and place in the form of a UUID
/// version 8.
[[nodiscard]] Uuid derived_event_id(std::string_view caller, std::string_view key, std::size_t index);

/// C0, DEL or C1: what no text of an envelope may contain.
[[nodiscard]] bool has_control_characters(std::string_view utf8);

}  // namespace stele::api
