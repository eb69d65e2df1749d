#include "api/endpoint/failed_event.h"

#include <string_view>

#include "api/json/json_writer.h"

namespace stele::api {

namespace {

std::string json_of(std::string_view text) {
  std::string json;
  append_json_string(json, printable(text));
  return json;
}

}  // namespace

void name_event(Problem& problem, const FailedEvent& event) {
  problem.member("position", std::to_string(event.position.value()));
  problem.member("sequenceNumber", std::to_string(event.sequence.value()));
  problem.member("eventType", json_of(event.event_type));
}

Problem upcast_problem(const UpcastFailure& failure, const FailedEvent& event) {
  Problem problem(failure.slug, failure.detail);
  if (failure.passes) problem.header("Retry-After", "1");
  name_event(problem, event);
  problem.member("pointer", json_of(failure.pointer));
  if (failure.line) problem.member("line", std::to_string(*failure.line));
  if (failure.column) problem.member("column", std::to_string(*failure.column));
  return problem;
}

}  // namespace stele::api
