#include "api/replay/fold_problem.h"

#include <string_view>
#include <utility>

#include "api/json/json_writer.h"

namespace stele::api {

namespace {

std::string_view words_for(std::string_view limit) {
  if (limit == "call-time") return "One call of the handler took too long.";
  if (limit == "replay-time") return "The replay took too long.";
  if (limit == "state-time") return "Reading or writing the state took too long.";
  if (limit == "memory") return "The handler took too much memory.";
  if (limit == "stack") return "The handler's calls are nested too deeply.";
  if (limit == "state-size") return "The state is too large.";
  return "The handler did what it must not do.";
}

Problem kind_of_problem(const FoldFailure& failure) {
  using Kind = FoldFailure::Kind;
  switch (failure.kind) {
    case Kind::Syntax:
      return {"invalid-handler", "The source is no handler: " + printable(failure.message)};
    case Kind::Threw:
      return {"handler-failed", "The handler threw: " + printable(failure.message)};
    case Kind::NoJson:
      return {"handler-failed", "The state is not JSON: " + printable(failure.message)};
    case Kind::Limit:
      return Problem("handler-limit", std::string(words_for(failure.limit))).text_member("limit", failure.limit);
    case Kind::Died:
      return Problem("worker-died", "The process that ran the handler ended. Try again.").header("Retry-After", "1");
    case Kind::Busy:
      return Problem("busy-replays", "Every process that runs handlers is busy.").header("Retry-After", "1");
    case Kind::Unavailable:
      return {"handlers-unavailable", "Scripts cannot be run here: " + printable(failure.message)};
    case Kind::Abandoned:
      break;
  }
  return Problem("unavailable", "The replay was ended: nobody waits for it, or the server shuts down.")
      .header("Retry-After", "5");
}

}  // namespace

Problem fold_problem(const FoldFailure& failure, const std::optional<FailedEvent>& event) {
  using Kind = FoldFailure::Kind;
  Problem problem = kind_of_problem(failure);
  if (event) name_event(problem, *event);
  if (failure.kind == Kind::NoJson) problem.text_member("pointer", failure.pointer);
  if (failure.line) problem.member("line", std::to_string(*failure.line));
  if (failure.column) problem.member("column", std::to_string(*failure.column));
  if (failure.kind == Kind::Syntax || failure.kind == Kind::Threw) {
    problem.text_member("scriptMessage", failure.message);
  }
  return problem;
}

}  // namespace stele::api
