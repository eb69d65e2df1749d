#include "net/webhook/connection_pool.h"

#include <new>
#include <utility>

#include "engine/base/check.h"
#include "net/webhook/fair_share.h"

namespace stele::net {

void ConnectionPool::take(Waiter& waiter) {
  STELE_CHECK(!waiter.has_seat && waiter.ticket_ == 0);
  const auto at = endpoints_.try_emplace(waiter.endpoint).first;
  if (at->second.waiting.empty() && has_room(at->second)) return seat(waiter, at->second);
  at->second.waiting.push_back(&waiter);
  waiter.ticket_ = ++tickets_;
  ++waiting_;
}

void ConnectionPool::leave(Waiter& waiter) {
  if (waiter.ticket_ == 0) return;
  const auto at = endpoints_.find(waiter.endpoint);
  at->second.waiting.remove(&waiter);
  waiter.ticket_ = 0;
  --waiting_;
  forget_if_unused(at);
}

void ConnectionPool::give_back(Waiter& waiter, std::unique_ptr<WebhookConnection> connection) {
  STELE_CHECK(waiter.has_seat);
  waiter.has_seat = false;
  --in_use_;
  const auto at = endpoints_.find(waiter.endpoint);
  const std::size_t kept_before = at->second.kept.size();
  try {
    if (connection) at->second.kept.push_back({std::move(connection), Clock::now()});
  } catch (const std::bad_alloc&) {
    connection.reset();
  }
  if (at->second.kept.size() == kept_before) {
    --at->second.connections;
    --all_;
  }
  // Nobody was in line for whom there was room, and one more is room for one at most.
  seat_next();
  forget_if_unused(at);
}

bool ConnectionPool::has_room(const Endpoint& endpoint) const {
  const std::size_t here = endpoint.in_use();
  return here < bounds_.endpoint_max && here < fair_share(bounds_.all_max, in_use_ - here, bounds_.endpoint_parts);
}

void ConnectionPool::seat(Waiter& waiter, Endpoint& endpoint) {
  waiter.has_seat = true;
  ++in_use_;
  while (!endpoint.kept.empty()) {
    std::unique_ptr<WebhookConnection> connection = std::move(endpoint.kept.back().connection);
    endpoint.kept.pop_back();
    if (connection->is_usable()) {
      waiter.kept = std::move(connection);
      return;
    }
    connection->close();
    --endpoint.connections;
    --all_;
  }
  if (all_ >= bounds_.all_max) drop_oldest_kept();
  ++endpoint.connections;
  ++all_;
}

void ConnectionPool::drop_oldest_kept() {
  auto oldest = endpoints_.end();
  for (auto at = endpoints_.begin(); at != endpoints_.end(); ++at) {
    if (at->second.kept.empty()) continue;
    if (oldest == endpoints_.end() || at->second.kept.front().since < oldest->second.kept.front().since) oldest = at;
  }
  STELE_CHECK(oldest != endpoints_.end());  // not all are in use, where there is room for one more
  oldest->second.kept.front().connection->close();
  oldest->second.kept.erase(oldest->second.kept.begin());
  --oldest->second.connections;
  --all_;
  // Not forgotten here, though it may be unused now: the caller holds a reference to another, or to this one. sweep()
  // does.
}

void ConnectionPool::seat_next() {
  if (waiting_ == 0) return;
  auto next = endpoints_.end();
  for (auto at = endpoints_.begin(); at != endpoints_.end(); ++at) {
    const Endpoint& endpoint = at->second;
    if (endpoint.waiting.empty() || !has_room(endpoint)) continue;
    if (next == endpoints_.end() || endpoint.waiting.front()->ticket_ < next->second.waiting.front()->ticket_)
      next = at;
  }
  if (next == endpoints_.end()) return;
  Waiter* const waiter = next->second.waiting.front();
  seat(*waiter, next->second);
  next->second.waiting.pop_front();
  waiter->ticket_ = 0;
  --waiting_;
  waiter->seated();
}

void ConnectionPool::forget_if_unused(Endpoints::iterator at) {
  if (at->second.connections == 0 && at->second.waiting.empty()) endpoints_.erase(at);
}

void ConnectionPool::sweep(Clock::time_point now) {
  for (auto at = endpoints_.begin(); at != endpoints_.end();) {
    const auto here = at++;
    std::vector<Kept>& kept = here->second.kept;
    for (Kept& one : kept) {
      if (now - one.since < bounds_.idle_max) continue;
      one.connection->close();
      one.connection.reset();
      --here->second.connections;
      --all_;
    }
    std::erase_if(kept, [](const Kept& one) { return one.connection == nullptr; });
    forget_if_unused(here);
  }
}

void ConnectionPool::close_kept() { sweep(Clock::time_point::max()); }

}  // namespace stele::net
