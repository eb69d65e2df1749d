#include "api/subscriptions/pull_request.h"

#include <algorithm>
#include <utility>

#include "api/http/body_members.h"
#include "api/subscriptions/subscription_definition.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWaitMax{30'000};
constexpr milliseconds kLeaseDefault{30'000}, kLeaseMin{1'000}, kLeaseMax{12LL * 3'600'000};
constexpr milliseconds kNackDelayMax{24LL * 3'600'000};

std::optional<std::vector<Uuid>> read_event_ids(BodyMembers& members, std::size_t count_max) {
  const auto texts = members.texts("eventIds", count_max);
  if (!texts) return std::nullopt;
  std::vector<Uuid> ids;
  for (std::size_t i = 0; i < texts->size(); ++i) {
    if (const auto id = parse_uuid((*texts)[i])) {
      ids.push_back(*id);
    } else {
      members.refuse("eventIds", std::to_string(i), "Must be a UUID.");
    }
  }
  return ids;
}

}  // namespace

std::variant<PullRequest, Problem> parse_pull_request(std::string_view body, const SubscriptionLimits& limits) {
  auto parsed = BodyMembers::parse(body, {"limit", "wait", "lease"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  PullRequest request;
  request.limit = std::min<std::size_t>(request.limit, limits.batch_events_max);
  if (const auto limit = members.integer("limit", 1, limits.batch_events_max)) request.limit = *limit;
  request.wait = members.duration("wait", milliseconds{0}, kWaitMax).value_or(milliseconds{0});
  request.lease = members.duration("lease", kLeaseMin, kLeaseMax).value_or(kLeaseDefault);
  if (auto problem = members.problem()) return *std::move(problem);
  return request;
}

std::variant<LeaseRequest, Problem> parse_lease_request(std::string_view body, LeaseRequest::Kind kind,
                                                        const SubscriptionLimits& limits) {
  using Kind = LeaseRequest::Kind;
  auto parsed = kind == Kind::Ack    ? BodyMembers::parse(body, {"leaseId", "eventIds"})
                : kind == Kind::Nack ? BodyMembers::parse(body, {"leaseId", "eventIds", "delay"})
                                     : BodyMembers::parse(body, {"leaseId", "lease"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  LeaseRequest request;
  if (!members.has("leaseId")) members.refuse("leaseId", "The member is required.");
  request.lease_id = members.text("leaseId").value_or("");
  if (kind == Kind::Extend) {
    if (!members.has("lease")) members.refuse("lease", "The member is required.");
    request.lease = members.duration("lease", kLeaseMin, kLeaseMax).value_or(kLeaseDefault);
  } else {
    request.event_ids = read_event_ids(members, limits.batch_events_max);
  }
  if (kind == Kind::Nack) request.delay = members.duration("delay", milliseconds{0}, kNackDelayMax);
  if (auto problem = members.problem()) return *std::move(problem);
  return request;
}

}  // namespace stele::api
