#include "api/replay/snapshot_endpoints.h"

#include <limits>
#include <utility>

#include "api/endpoint/limit_forbids.h"
#include "api/endpoint/visible_aggregate.h"
#include "api/http/body_members.h"
#include "api/http/bounded_read.h"
#include "api/http/parameters.h"
#include "api/http/percent.h"
#include "api/replay/client_snapshots.h"
#include "api/replay/replay_json.h"
#include "api/replay/replay_request.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

/// A state of the largest size and what stands around it.
constexpr std::size_t kSnapshotBodyBytesMax = kClientStateBytesMax + (64U << 10);
constexpr std::size_t kPolicyBodyBytesMax = 4U << 10;

void append_policy(JsonWriter& json, const SnapshotPolicy& policy) {
  json.key("everyEvents").number(policy.every_events).key("keep").number(policy.keep);
}

std::string policy_json(std::string_view aggregate_type, const SnapshotPolicy& policy) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("aggregateType").string(aggregate_type);
  append_policy(json, policy);
  json.end_object();
  return text;
}

Problem no_policy() { return {"policy-not-found", "No policy is set for this aggregate type; the default holds."}; }

}  // namespace

std::vector<Endpoint> SnapshotEndpoints::endpoints() {
  const EndpointLimits state{.body = BodyForm::Json, .body_bytes_max = kSnapshotBodyBytesMax};
  const EndpointLimits policy{.body = BodyForm::Json, .body_bytes_max = kPolicyBodyBytesMax};
  const EndpointLimits filtered{.query = QueryUse::Read};
  const EndpointLimits one;
  return {
      {Method::Post, "/v1/events/snapshot/{aggregateId}", Permission::Append, state, RunsOn::IoThread,
       [this](const CallPtr& call) { take(call); }, audited_as("snapshot.create")},
      {Method::Get, "/v1/events/snapshot/{aggregateId}", Permission::Read, filtered, RunsOn::ReadPool,
       [this](const CallPtr& call) { show(*call); }, audited_as("snapshot.show")},
      {Method::Get, "/v1/snapshot-policies", Permission::Administer, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show_policies(*call); }, audited_as("snapshot-policies.list")},
      {Method::Get, "/v1/snapshot-policies/{aggregateType}", Permission::Administer, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show_policy(*call); }, audited_as("snapshot-policy.show")},
      {Method::Put, "/v1/snapshot-policies/{aggregateType}", Permission::Administer, policy, RunsOn::ReadPool,
       [this](const CallPtr& call) { put_policy(*call); }, audited_as("snapshot-policy.set")},
      {Method::Delete, "/v1/snapshot-policies/{aggregateType}", Permission::Administer, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { remove_policy(*call); }, audited_as("snapshot-policy.remove")},
  };
}

void SnapshotEndpoints::take(const CallPtr& call) {
  auto parsed = parse_snapshot_request(call->request().body(), room_.options.limits.depth_max);
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  auto request = std::make_shared<SnapshotRequest>(std::get<SnapshotRequest>(std::move(parsed)));
  room_.threads.run_soon(call, [this, request](Call& c) -> std::variant<Response, Problem> {
    const auto found = visible_aggregate(*room_.store.view(), c.caller(), c.parameter("aggregateId"));
    if (const auto* const problem = std::get_if<Problem>(&found)) return *problem;
    const auto& aggregate = std::get<AggregateSummary>(found);
    Response response;
    response.status = 201;
    std::string location = "/v1/events/snapshot/";
    append_percent_encoded(location, aggregate.aggregate_id);
    location += "?sequenceNumber=";
    c.has_acted();
    if (request->state) {
      if (request->sequence > aggregate.last_sequence) {
        return Problem("sequence-beyond-head",
                       "The aggregate has " + std::to_string(aggregate.last_sequence.value()) + " events.")
            .error({"pointer", "/sequenceNumber", "The aggregate has no such event.", {}})
            .member("currentSequenceNumber", std::to_string(aggregate.last_sequence.value()));
      }
      auto stored = store_client_state(room_.store, aggregate, request->sequence, *request->state,
                                       {c.caller(), c.correlation()}, room_.clock);
      if (const auto* const problem = std::get_if<Problem>(&stored)) return *problem;
      response.body = std::get<std::string>(std::move(stored));
      location += std::to_string(request->sequence.value()) + "&source=client";
    } else {
      const EventHandler handler = room_.handlers.default_of(aggregate.aggregate_type);
      const auto taken = room_.snapshotter.take(aggregate, handler, [&c] { return c.request().abandoned(); });
      if (const auto* const failure = std::get_if<ReplayFailure>(&taken)) return failure->problem;
      const Replayed& replayed = std::get<Replayed>(taken);
      // What taking it has found out about the handler is told already.
      const auto known = room_.handlers.find(aggregate.aggregate_type, handler.name, handler.version);
      response.body = snapshot_json(aggregate, known.value_or(handler), replayed.state);
      location += std::to_string(replayed.state.sequence.value());
    }
    response.headers.emplace_back("Location", std::move(location));
    return response;
  });
}

void SnapshotEndpoints::show(Call& call) {
  Parameters parameters(call.request().query(), {"sequenceNumber", "source"});
  const auto at_most = parameters.integer("sequenceNumber", 1, std::numeric_limits<std::int64_t>::max());
  const auto source = parameters.text("source");
  if (source && *source != "client" && *source != "folded") parameters.refuse("source", "Must be folded or client.");
  if (const auto problem = parameters.problem()) return call.fail(*problem);
  const auto view = room_.store.view();
  const auto found = visible_aggregate(*view, call.caller(), call.parameter("aggregateId"));
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  const auto& aggregate = std::get<AggregateSummary>(found);
  const SequenceNumber upto{at_most.value_or(std::numeric_limits<std::uint64_t>::max())};
  Response response;
  if (source == "client") {
    auto state = find_client_state(*view, aggregate, upto, read_budget(call.request(), room_.options.read_limits));
    if (const auto* const problem = std::get_if<Problem>(&state)) return call.fail(*problem);
    response.body = std::get<std::string>(std::move(state));
    return call.send(std::move(response));
  }
  const EventHandler handler = room_.handlers.default_of(aggregate.aggregate_type);
  SnapshotStore* const snapshots = room_.store.snapshots();
  const auto snapshot = snapshots == nullptr
                            ? std::nullopt
                            : snapshots->at_or_before({aggregate.aggregate_id, snapshot_name(handler)}, upto);
  const auto state = snapshot ? FoldedState::decode(snapshot->sequence, snapshot->state) : std::nullopt;
  const bool holds = state && state->sequence <= aggregate.last_sequence && handler.pure != false &&
                     room_.replayer.holds(handler, aggregate.aggregate_id, *state, snapshot->fingerprint);
  if (!holds) {
    return call.fail(
        Problem("snapshot-not-found", "No snapshot of this aggregate by its handler is kept up to there."));
  }
  response.body = snapshot_json(aggregate, handler, *state);
  call.send(std::move(response));
}

void SnapshotEndpoints::show_policies(Call& call) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("default").begin_object();
  append_policy(json, room_.policies.default_policy());
  json.end_object().key("policies").begin_array();
  for (const auto& [type, policy] : room_.policies.all()) {
    if (call.caller().may_use_type(type)) json.raw(policy_json(type, policy));
  }
  json.end_array().end_object();
  call.send(std::move(response));
}

void SnapshotEndpoints::show_policy(Call& call) {
  const std::string& type = call.parameter("aggregateType");
  const auto policy = room_.policies.set_for(type);
  if (!policy || !call.caller().may_use_type(type)) return call.fail(no_policy());
  Response response;
  response.body = policy_json(type, *policy);
  call.send(std::move(response));
}

void SnapshotEndpoints::put_policy(Call& call) {
  const std::string& type = call.parameter("aggregateType");
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  if (auto problem = bad_aggregate_type(type)) return call.fail(*problem);
  auto parsed = BodyMembers::parse(call.request().body(), {"everyEvents", "keep"});
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  SnapshotPolicy policy = room_.policies.default_policy();
  if (!members.has("everyEvents")) members.refuse("everyEvents", "The member is required.");
  policy.every_events =
      members.integer("everyEvents", 0, SnapshotPolicies::kEveryEventsMax).value_or(policy.every_events);
  policy.keep = static_cast<std::uint32_t>(members.integer("keep", 1, kSnapshotKeepMax).value_or(policy.keep));
  if (const auto problem = members.problem()) return call.fail(*problem);
  call.has_acted();
  const auto set = room_.policies.set(room_.store, type, policy, {call.caller(), call.correlation()}, room_.clock);
  if (const auto* const problem = std::get_if<Problem>(&set)) return call.fail(*problem);
  Response response;
  response.status = std::get<bool>(set) ? 201 : 200;
  response.body = policy_json(type, policy);
  call.send(std::move(response));
}

void SnapshotEndpoints::remove_policy(Call& call) {
  const std::string& type = call.parameter("aggregateType");
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  if (!room_.policies.set_for(type)) return call.fail(no_policy());
  call.has_acted();
  const auto set =
      room_.policies.set(room_.store, type, std::nullopt, {call.caller(), call.correlation()}, room_.clock);
  if (const auto* const problem = std::get_if<Problem>(&set)) return call.fail(*problem);
  Response response;
  response.status = 204;
  response.content_type = {};
  call.send(std::move(response));
}

}  // namespace stele::api
