#include "api/events/event_errors.h"

#include <utility>

#include "api/json/json_diagnosis.h"

namespace stele::api {

namespace {
constexpr std::size_t kEventErrorsMax = 100;
}  // namespace

void EventErrors::enter_event(std::string_view base, std::size_t index, std::optional<std::uint64_t> line) {
  base_ = base;
  index_ = index;
  line_ = line;
}

void EventErrors::leave_events() {
  base_ = {};
  index_.reset();
  line_.reset();
}

void EventErrors::add(std::string_view pointer, std::string detail) {
  invalid_ = true;
  push(pointer, std::move(detail));
}

void EventErrors::add_too_large(std::string_view pointer, std::string detail) {
  too_large_ = true;
  push(pointer, std::move(detail));
}

Problem EventErrors::problem() {
  const FieldError& first = errors_.front();
  std::string detail = first.where.empty() ? first.detail : first.where + ": " + first.detail;
  if (count_ > 1) detail += " (" + std::to_string(count_) + " errors in all)";
  Problem problem(invalid_ ? "invalid-event" : "event-too-large", std::move(detail));
  problem.errors(std::move(errors_));
  return problem;
}

void EventErrors::push(std::string_view pointer, std::string detail) {
  if (++count_ > kEventErrorsMax) return;
  std::string where(base_);
  if (index_) {
    where += '/';
    where += std::to_string(*index_);
  }
  where += pointer;
  errors_.push_back({"pointer", std::move(where), std::move(detail), line_});
}

std::string member_pointer(std::string_view name) {
  std::string pointer;
  append_pointer_token(pointer, name);
  return pointer;
}

}  // namespace stele::api
