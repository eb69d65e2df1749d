#pragma once
// What a client is told when a fold gives no state.

#include <optional>
#include <string>

#include "api/http/problem.h"
#include "api/replay/fold.h"
#include "engine/base/ids.h"

namespace stele::api {

/// The event at which it failed.
struct FailedEvent {
  Position position;
  SequenceNumber sequence;
  std::string event_type;
};

[[nodiscard]] Problem fold_problem(const FoldFailure& failure, const std::optional<FailedEvent>& event);

}  // namespace stele::api
