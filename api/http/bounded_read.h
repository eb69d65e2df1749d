#pragma once
// What every endpoint that reads events shares: what it may cost, and how it fails.

#include "api/http/http.h"
#include "api/http/problem.h"
#include "engine/base/read_budget.h"
#include "engine/base/result.h"

namespace stele::api {

/// What reading for `asker` may cost.
[[nodiscard]] ReadBudget read_budget(const Request& asker, ReadLimits limits);

/// The refusal for stored bytes that cannot be read.
[[nodiscard]] Problem read_failed();

/// Why a stream of lines ends before its end: it finds nothing, and nobody waits for it or the server shuts down.
[[nodiscard]] Error stream_abandoned();

}  // namespace stele::api
