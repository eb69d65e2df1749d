#pragma once
// What a client is told when a fold gives no state.

#include <optional>

#include "api/endpoint/failed_event.h"
#include "api/http/problem.h"
#include "api/replay/fold.h"

namespace stele::api {

[[nodiscard]] Problem fold_problem(const FoldFailure& failure, const std::optional<FailedEvent>& event);

}  // namespace stele::api
