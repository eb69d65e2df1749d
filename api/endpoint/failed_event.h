#pragma once
// What a client is told of the one event that something failed at.

#include <string>

#include "api/http/problem.h"
#include "api/records/event_upcasts.h"
#include "engine/base/ids.h"

namespace stele::api {

struct FailedEvent {
  Position position;
  SequenceNumber sequence;
  std::string event_type;  ///< as it is shown
};

/// Adds members that say which one it is.
void name_event(Problem& problem, const FailedEvent& event);

/// Of the kind that the failure names.
[[nodiscard]] Problem upcast_problem(const UpcastFailure& failure, const FailedEvent& event);

}  // namespace stele::api
