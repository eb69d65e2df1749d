#pragma once
// What a client is told when a fold gives no state.

#include <optional>
#include <string>

#include "api/http/problem.h"
#include "api/records/event_upcasts.h"
#include "api/replay/fold.h"
#include "engine/base/ids.h"

namespace stele::api {

/// The event at which it failed.
struct FailedEvent {
  Position position;
  SequenceNumber sequence;
  std::string event_type;
};

/// 422 `upcast-failed`, or 503 if another try may succeed.
[[nodiscard]] Problem upcast_problem(const UpcastFailure& failure, const FailedEvent& event);

[[nodiscard]] Problem fold_problem(const FoldFailure& failure, const std::optional<FailedEvent>& event);

}  // namespace stele::api
