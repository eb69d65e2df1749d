#include "api/subscriptions/pull_endpoints.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "api/subscriptions/subscription_access.h"
#include "api/subscriptions/subscription_json.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;
using LeaseKind = LeaseRequest::Kind;

constexpr std::size_t kPullBodyBytesMax = 4U << 10;
constexpr std::size_t kLeaseBodyBytesUsual = 128U << 10;
constexpr std::size_t kEventIdBytes = 64;  ///< in a list in JSON, and room for blanks

}  // namespace

std::vector<Endpoint> PullEndpoints::endpoints() {
  const EndpointLimits pulls{.body = BodyForm::Json, .body_bytes_max = kPullBodyBytesMax};
  const std::size_t lease_bytes =
      std::max<std::size_t>(kLeaseBodyBytesUsual, options_.subscriptions.limits.batch_events_max * kEventIdBytes);
  const EndpointLimits lease{.body = BodyForm::Json, .body_bytes_max = lease_bytes};
  return {
      {Method::Post, "/v1/subscriptions/{subscriptionId}/pull", Permission::Subscribe, pulls, RunsOn::ReadPool,
       [this](const CallPtr& call) { pull(call); }, audited_as("subscription.pull")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/ack", Permission::Subscribe, lease, RunsOn::ReadPool,
       [this](const CallPtr& call) { answer(*call, LeaseKind::Ack); }, audited_as("subscription.pull")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/nack", Permission::Subscribe, lease, RunsOn::ReadPool,
       [this](const CallPtr& call) { answer(*call, LeaseKind::Nack); }, audited_as("subscription.pull")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/extend", Permission::Subscribe, lease, RunsOn::ReadPool,
       [this](const CallPtr& call) { answer(*call, LeaseKind::Extend); }, audited_as("subscription.pull")},
  };
}

void PullEndpoints::pull(const CallPtr& call) {
  const auto parsed = parse_pull_request(call->request().body(), options_.subscriptions.limits);
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  const PullRequest& request = std::get<PullRequest>(parsed);
  const std::string& id = call->parameter("subscriptionId");
  const auto found = find_to_change(room_, call->caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call->fail(*problem);
  room_.pull(
      id, request.limit, request.wait, request.lease, [call] { return call->request().abandoned(); },
      [this, call](const std::variant<PulledBatch, Problem>& pulled) {
        answer_exceptions(*call, [&] {
          if (const auto* const problem = std::get_if<Problem>(&pulled)) return call->fail(*problem);
          // A megabyte takes a while to write and to compress: not on a thread that others wait for, if that can be.
          const auto answer = [batch = std::get<PulledBatch>(pulled), notes = options_.notes](const CallPtr& c) {
            Response response;
            response.body = pulled_json(batch, notes);
            c->send(std::move(response));
          };
          if (!try_on_read_pool(scheduler_, call, answer)) answer(call);
        });
      });
}

void PullEndpoints::answer(Call& call, LeaseKind kind) {
  const auto parsed = parse_lease_request(call.request().body(), kind, options_.subscriptions.limits);
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  const LeaseRequest& request = std::get<LeaseRequest>(parsed);
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  if (std::get<SubscriptionStatus>(found).definition.kind != DeliveryKind::Pull) {
    return call.fail(Problem("other-delivery-kind", "The subscription is not pulled: it has no leases."));
  }
  std::optional<Problem> refusal;
  switch (kind) {
    case LeaseKind::Ack:
      refusal = room_.ack(id, request.lease_id, request.event_ids);
      break;
    case LeaseKind::Nack:
      refusal = room_.nack(id, request.lease_id, request.event_ids, request.delay);
      break;
    case LeaseKind::Extend:
      refusal = room_.extend(id, request.lease_id, request.lease);
      break;
  }
  if (refusal) return call.fail(*refusal);
  Response response;
  response.status = 204;
  response.content_type = {};
  call.send(std::move(response));
}

}  // namespace stele::api
