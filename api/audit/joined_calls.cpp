#include "api/audit/joined_calls.h"

#include <algorithm>
#include <iterator>

#include "api/endpoint/endpoint_table.h"
#include "engine/base/keyed_hash.h"

namespace stele::api {

namespace {

const AuditedAction& denied_action() {
  static const AuditedAction& action = *audited_as("auth.denied");
  return action;
}

const AuditedAction& beyond_action() {
  static const AuditedAction& action = *audited_as("audit.beyond");
  return action;
}

std::uint64_t hash_of(const AnsweredCall& call) {
  constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = keyed_hash(call.principal);
  hash = hash * kMix + keyed_hash(call.remote_address);
  hash = hash * kMix + reinterpret_cast<std::uintptr_t>(call.route);
  hash = hash * kMix + reinterpret_cast<std::uintptr_t>(call.action);
  hash = hash * kMix + static_cast<std::uint64_t>(call.outcome);
  return hash ^ (hash >> 32U);
}

void add_status(JoinedCall& to, int status, std::uint64_t times) {
  const auto known = std::find_if(to.statuses.begin(), to.statuses.end(),
                                  [&](const auto& counted) { return counted.first == status; });
  if (known != to.statuses.end()) {
    known->second += times;
  } else if (to.statuses.size() < kJoinedStatusesMax) {
    to.statuses.emplace_back(status, times);
  }
}

void add_call(JoinedCall& to, const AnsweredCall& call, Timestamp now) {
  to.first = to.count == 0 ? now : std::min(to.first, now);
  to.last = to.count == 0 ? now : std::max(to.last, now);
  ++to.count;
  to.shown.add(call.shown);
  add_status(to, call.status, 1);
}

void add_filters(JoinedCall& to, std::string_view filters) {
  if (filters.empty() || std::find(to.filters.begin(), to.filters.end(), filters) != to.filters.end()) return;
  if (to.filters.size() < kJoinedFiltersMax) {
    to.filters.emplace_back(filters);
  } else {
    ++to.with_other_filters;
  }
}

/// What only some of them have is of none of them.
void keep_if_same(std::optional<std::string>& kept, std::string_view text) {
  if (kept && *kept != text) kept.reset();
}

void merge(std::optional<JoinedCall>& to, std::optional<JoinedCall> from) {
  if (!from) return;
  if (!to) {
    to = std::move(from);
    return;
  }
  to->first = std::min(to->first, from->first);
  to->last = std::max(to->last, from->last);
  to->count += from->count;
  to->shown.add(from->shown);
  for (const auto& [status, times] : from->statuses) add_status(*to, status, times);
}

}  // namespace

JoinedCalls::JoinedCalls(std::size_t separate_max)
    : separate_max_(separate_max),
      left_(static_cast<std::int64_t>(separate_max)),
      shards_(std::make_unique<Shard[]>(kShards)) {}

void JoinedCalls::add(const AnsweredCall& call, Timestamp now) {
  const std::uint64_t hash = hash_of(call);
  Shard& shard = shards_[hash % kShards];
  const MutexLock lock(shard.mutex);
  if (call.is_stranger) {
    if (!shard.strangers) shard.strangers = JoinedCall{.action = &denied_action(), .outcome = ActionOutcome::Refused};
    return add_call(*shard.strangers, call, now);
  }
  const auto known = std::find_if(shard.entries.begin(), shard.entries.end(), [&](const Entry& entry) {
    return entry.hash == hash && entry.route == call.route && entry.call.action == call.action &&
           entry.call.outcome == call.outcome && entry.call.principal == call.principal &&
           entry.call.remote_address == call.remote_address;
  });
  if (known != shard.entries.end()) {
    keep_if_same(known->call.resource, call.resource);
    keep_if_same(known->call.correlation_id, call.correlation_id);
    add_call(known->call, call, now);
    return add_filters(known->call, call.filters);
  }
  if (left_.fetch_sub(1, std::memory_order_relaxed) <= 0) {
    left_.fetch_add(1, std::memory_order_relaxed);
    if (!shard.beyond) shard.beyond = JoinedCall{.action = &beyond_action()};
    return add_call(*shard.beyond, call, now);
  }
  Entry entry{hash, call.route, {.action = call.action, .outcome = call.outcome}};
  entry.call.principal = call.principal;
  entry.call.remote_address = call.remote_address;
  if (call.route != nullptr) entry.call.route = call.route->pattern;
  entry.call.resource = call.resource;
  entry.call.correlation_id = call.correlation_id;
  add_call(entry.call, call, now);
  add_filters(entry.call, call.filters);
  shard.entries.push_back(std::move(entry));
}

std::vector<JoinedCall> JoinedCalls::take() {
  std::vector<JoinedCall> taken;
  std::optional<JoinedCall> strangers;
  std::optional<JoinedCall> beyond;
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    std::vector<Entry> entries;
    {
      const MutexLock lock(shard.mutex);
      entries.swap(shard.entries);
      merge(strangers, std::exchange(shard.strangers, std::nullopt));
      merge(beyond, std::exchange(shard.beyond, std::nullopt));
    }
    for (Entry& entry : entries) taken.push_back(std::move(entry.call));
  }
  std::stable_sort(taken.begin(), taken.end(),
                   [](const JoinedCall& a, const JoinedCall& b) { return a.first < b.first; });
  if (strangers) taken.push_back(*std::move(strangers));
  if (beyond) taken.push_back(*std::move(beyond));
  return taken;
}

}  // namespace stele::api
