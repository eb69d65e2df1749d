#pragma once
// What a replay is answered with, whoever asked for it.

#include <functional>
#include <string>
#include <variant>

#include "api/http/problem.h"
#include "api/replay/handler_registry.h"
#include "api/replay/replay_request.h"
#include "api/replay/replayer.h"

namespace stele::api {

/// The body of the answer. Takes as long as the replay.
[[nodiscard]] std::variant<std::string, Problem> answer_replay(const AggregateSummary& aggregate,
                                                               const ReplayRequest& request,
                                                               const HandlerRegistry& handlers,
                                                               const Replayer& replayer,
                                                               const std::function<bool()>& abandoned);

}  // namespace stele::api
