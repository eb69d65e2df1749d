#include "api/subscriptions/delivery_trace.h"

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

}  // namespace stele::api
