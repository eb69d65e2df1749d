#pragma once
// From the bytes of an append's body to a Proposal, or to everything that is wrong with them.

#include <optional>
#include <string_view>

#include "api/endpoint/options.h"
#include "api/events/append_context.h"
#include "api/http/body_format.h"
#include "api/http/problem.h"
#include "engine/commit/proposal.h"

namespace stele::api {

/// Fills `to` (fresh) from `body`, which SIMDJSON_PADDING readable bytes must follow. In JSON that is one event, a list
/// of events, or {"events": […], "condition": {…}}. Ids are given, seeds and digests not yet: call RecordDraft::seal().
/// On a refusal `to` is meaningless. Any thread; keeps a parser a thread.
[[nodiscard]] std::optional<Problem> parse_append(std::string_view body, BodyFormat format, const Limits& limits,
                                                  const AppendContext& context, const Clock& clock, Proposal& to);

}  // namespace stele::api
