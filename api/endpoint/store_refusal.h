#pragma once
// Why a store takes no events now, whatever they are.

#include <string_view>

#include "api/http/problem.h"
#include "engine/commit/proposal.h"

namespace stele::api {

/// Seconds, for Retry-After: what is full now empties soon; what is broken takes longer.
inline constexpr std::string_view kRetrySoon = "1";
inline constexpr std::string_view kRetryLater = "5";

/// Of an outcome that is not about what was sent, but about queue, disk or clock.
[[nodiscard]] Problem store_refusal(AppendOutcome::Kind kind);

}  // namespace stele::api
