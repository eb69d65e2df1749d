#include "api/replay/replay_answer.h"

#include <optional>
#include <utility>

#include "api/json/json_patch.h"
#include "api/replay/replay_json.h"

namespace stele::api {

std::variant<std::string, Problem> answer_replay(const AggregateSummary& aggregate, const ReplayRequest& request,
                                                 const HandlerRegistry& handlers, const Replayer& replayer,
                                                 const std::function<bool()>& abandoned) {
  EventHandler handler;
  if (request.handler_source) {
    handler = trial_handler(*request.handler_source);
  } else if (!request.handler_name) {
    handler = handlers.default_of(aggregate.aggregate_type);
  } else if (auto named = handlers.find(aggregate.aggregate_type, *request.handler_name, request.handler_version)) {
    handler = *std::move(named);
  } else {
    return Problem("handler-not-found", "The aggregate's type has no such handler.")
        .error({"pointer", "/handler", "There is no handler of this name and version.", {}});
  }
  if (request.compare_to && *request.compare_to > aggregate.last_sequence) {
    return Problem("sequence-beyond-head",
                   "The aggregate has " + std::to_string(aggregate.last_sequence.value()) + " events.")
        .error({"pointer", "/compareTo", "The aggregate has no such event.", {}})
        .member("currentSequenceNumber", std::to_string(aggregate.last_sequence.value()));
  }
  const ReplayOptions options{.from_kept = request.use_snapshot, .break_at = std::nullopt};
  const auto replayed = replayer.replay(aggregate, handler, request.end, options, abandoned);
  if (const auto* const failure = std::get_if<ReplayFailure>(&replayed)) return failure->problem;
  const Replayed& answer = std::get<Replayed>(replayed);
  std::optional<std::string> diff;
  if (request.compare_to) {
    ReplayEnd end;
    end.sequence = request.compare_to;
    const auto compared = replayer.replay(aggregate, handler, end, options, abandoned);
    if (const auto* const failure = std::get_if<ReplayFailure>(&compared)) return failure->problem;
    append_json_patch(diff.emplace(), std::get<Replayed>(compared).state.json, answer.state.json);
  }
  return replay_json(aggregate, handler, answer, diff);
}

}  // namespace stele::api
