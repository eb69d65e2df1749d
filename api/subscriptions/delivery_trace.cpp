#include "api/subscriptions/delivery_trace.h"

#include <algorithm>
#include <utility>

namespace stele::api {

std::size_t DeliveryTrace::bytes_of(const TracedAttempt& attempt) {
  return sizeof attempt + attempt.batch_id.size() + attempt.error.size() + attempt.detail.size() +
         attempt.answer.size() + sizeof(Position) * (attempt.positions.size() + attempt.refused.size());
}

void DeliveryTrace::add(TracedAttempt attempt) {
  bytes_ += bytes_of(attempt);
  attempts_.push_back(std::move(attempt));
  while (attempts_.size() > kAttemptsMax || (bytes_ > kBytesMax && attempts_.size() > 1)) {
    bytes_ -= bytes_of(attempts_.front());
    attempts_.pop_front();
  }
}

bool have_common(std::span<const Position> a, std::span<const Position> b) {
  if (a.size() > b.size()) std::swap(a, b);
  return std::any_of(a.begin(), a.end(), [&](Position each) { return std::binary_search(b.begin(), b.end(), each); });
}

void DeliveryTrace::forget_answers(std::span<const Position> events) {
  for (TracedAttempt& attempt : attempts_) {
    if (!have_common(attempt.positions, events)) continue;
    bytes_ -= bytes_of(attempt);
    attempt.detail = {};
    attempt.answer = {};
    bytes_ += bytes_of(attempt);
  }
}

}  // namespace stele::api
