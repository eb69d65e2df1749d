#pragma once
// From the bytes of a request body to a Proposal, or to everything that is wrong with them.

#include <optional>
#include <string>
#include <string_view>

#include "api/body_format.h"
#include "api/options.h"
#include "api/problem.h"
#include "engine/commit/proposal.h"

namespace stele::api {

/// What the events of a request inherit from it.
struct AppendContext {
  std::string correlation_id;                  ///< for events that name none themselves
  std::optional<std::string> idempotency_key;  ///< gives ids to the events that have none
  std::string_view caller;                     ///< whose keys they are; empty without authentication
};

/// Fills `to` (fresh) from `body`, which SIMDJSON_PADDING readable bytes must follow. In JSON that is one event, a list
/// of events, or {"events": […], "condition": {…}}. Ids are given, seeds and digests not yet: call EventDraft::seal().
/// On a refusal `to` is meaningless. Any thread; keeps a parser a thread.
[[nodiscard]] std::optional<Problem> parse_append(std::string_view body, BodyFormat format, const Limits& limits,
                                                  const AppendContext& context, const Clock& clock, Proposal& to);

}  // namespace stele::api
