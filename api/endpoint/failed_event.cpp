#include "api/endpoint/failed_event.h"

#include <string>

namespace stele::api {

void name_event(Problem& problem, const FailedEvent& event) {
  problem.member("position", std::to_string(event.position.value()));
  problem.member("sequenceNumber", std::to_string(event.sequence.value()));
  problem.text_member("eventType", event.event_type);
}

Problem upcast_problem(const UpcastFailure& failure, const FailedEvent& event) {
  Problem problem(failure.slug, failure.detail);
  if (failure.passes) problem.header("Retry-After", "1");
  name_event(problem, event);
  problem.text_member("pointer", failure.pointer);
  if (failure.line) problem.member("line", std::to_string(*failure.line));
  if (failure.column) problem.member("column", std::to_string(*failure.column));
  return problem;
}

}  // namespace stele::api
