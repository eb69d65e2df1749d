#include "api/subscriptions/pull_leases.h"

#include <algorithm>

#include "engine/base/uuid.h"

namespace stele::api {

std::string PullLeases::grant(BatchNumber number, std::vector<std::pair<Uuid, Position>> events, Timestamp until) {
  Uuid random;
  random_bytes(random.bytes.data(), random.bytes.size());
  std::string id = to_string(random);
  Lease lease{number, std::move(events), {}, until};
  for (const auto& [event, position] : lease.given) lease.left.insert(position);
  events_ += lease.left.size();
  by_end_.emplace(until, id);
  leases_.emplace(id, std::move(lease));
  return id;
}

std::variant<std::vector<Position>, PullLeases::Answer> PullLeases::meant(
    Leases::iterator lease, const std::optional<std::vector<Uuid>>& events) const {
  if (lease == leases_.end()) return Answer::Expired;
  const Lease& of = lease->second;
  if (!events) return std::vector<Position>(of.left.begin(), of.left.end());
  std::set<Position> positions;
  for (const Uuid& event : *events) {
    const auto given =
        std::find_if(of.given.begin(), of.given.end(), [&](const auto& entry) { return entry.first == event; });
    if (given == of.given.end()) return Answer::Unknown;
    if (!of.left.contains(given->second)) return Answer::Expired;
    positions.insert(given->second);
  }
  return std::vector<Position>(positions.begin(), positions.end());
}

void PullLeases::take_out(Leases::iterator lease, const std::vector<Position>& positions) {
  for (const Position position : positions) events_ -= lease->second.left.erase(position);
  if (lease->second.left.empty()) end(lease);
}

void PullLeases::end(Leases::iterator lease) {
  events_ -= lease->second.left.size();
  by_end_.erase({lease->second.until, lease->first});
  leases_.erase(lease);
}

PullLeases::Answer PullLeases::ack(DeliveryQueue& queue, const std::string& lease,
                                   const std::optional<std::vector<Uuid>>& events, Timestamp now) {
  const auto found = find(lease);
  const auto positions = meant(found, events);
  if (const auto* answer = std::get_if<Answer>(&positions)) return *answer;
  const auto& acked = std::get<std::vector<Position>>(positions);
  queue.settled(found->second.number, acked, now);
  take_out(found, acked);
  return Answer::Done;
}

PullLeases::Answer PullLeases::nack(DeliveryQueue& queue, const std::string& lease,
                                    const std::optional<std::vector<Uuid>>& events, const DeliveryFailure& failure,
                                    Timestamp now) {
  const auto found = find(lease);
  const auto positions = meant(found, events);
  if (const auto* answer = std::get_if<Answer>(&positions)) return *answer;
  const auto& failed = std::get<std::vector<Position>>(positions);
  if (failed.empty()) return Answer::Done;
  const auto rest = queue.failed(found->second.number, failed, failure, now);
  if (!rest) {
    end(found);
    return Answer::Done;
  }
  // What else was left of their aggregates has failed with them.
  const auto& still = queue.state().batches.at(*rest).positions;
  std::vector<Position> gone;
  for (const Position position : found->second.left) {
    if (!std::binary_search(still.begin(), still.end(), position)) gone.push_back(position);
  }
  found->second.number = *rest;
  take_out(found, gone);
  return Answer::Done;
}

PullLeases::Answer PullLeases::extend(const std::string& lease, Timestamp until) {
  const auto found = find(lease);
  if (found == leases_.end()) return Answer::Expired;
  by_end_.erase({found->second.until, lease});
  found->second.until = until;
  by_end_.emplace(until, lease);
  return Answer::Done;
}

std::size_t PullLeases::expire(DeliveryQueue& queue, Timestamp now) {
  std::size_t expired = 0;
  while (!by_end_.empty() && by_end_.begin()->first <= now) {
    const auto over = leases_.find(by_end_.begin()->second);
    expired += over->second.left.size();
    queue.failed(over->second.number, {.error = "lease-expired"}, now);
    end(over);
  }
  return expired;
}

std::optional<Timestamp> PullLeases::next_expiry() const {
  return by_end_.empty() ? std::nullopt : std::optional(by_end_.begin()->first);
}

bool PullLeases::has(BatchNumber number) const {
  return std::any_of(leases_.begin(), leases_.end(), [&](const auto& lease) { return lease.second.number == number; });
}

void PullLeases::clear() {
  leases_.clear();
  by_end_.clear();
  events_ = 0;
}

}  // namespace stele::api
