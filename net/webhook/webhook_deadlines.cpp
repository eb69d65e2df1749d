#include "net/webhook/webhook_deadlines.h"

#include <boost/system/error_code.hpp>
#include <utility>

namespace stele::net {

void WebhookDeadlines::set(Party& party, Clock::time_point deadline) {
  // Most come in their order.
  if (party.place_) {
    auto node = order_.extract(*party.place_);
    node.key() = deadline;
    party.place_ = order_.insert(order_.end(), std::move(node));
  } else {
    party.place_ = order_.emplace_hint(order_.end(), deadline, &party);
  }
  wait_for_first();
}

void WebhookDeadlines::clear(Party& party) noexcept {
  if (!party.place_) return;
  order_.erase(*party.place_);
  party.place_.reset();
}

void WebhookDeadlines::look() {
  const Clock::time_point now = Clock::now();
  while (!order_.empty() && order_.begin()->first <= now) {
    Party& party = *order_.begin()->second;
    clear(party);
    party.too_late();
  }
  wait_for_first();
}

void WebhookDeadlines::wait_for_first() {
  if (order_.empty()) return;
  const Clock::time_point first = order_.begin()->first;
  if (waiting_for_ && *waiting_for_ <= first) return;
  waiting_for_.reset();
  timer_.expires_at(first);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (ec) return;
    waiting_for_.reset();
    look();
  });
  waiting_for_ = first;
}

}  // namespace stele::net
