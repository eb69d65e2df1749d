#include "api/audit/redaction_endpoints.h"

#include <utility>

#include "api/audit/redaction_json.h"
#include "api/audit/redaction_request.h"
#include "api/audit/redaction_scan.h"
#include "api/endpoint/limit_forbids.h"
#include "api/endpoint/visible_aggregate.h"
#include "api/endpoint/visible_event.h"
#include "api/http/bounded_read.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

/// What a request looks at; beyond, a dry run gives the least that it would be, and what is kept is found on the way.
constexpr std::uint64_t kLookRecordsMax = 200'000;

/// The store's own state is no body of anybody's. States that clients keep with it go with what they were folded from,
/// by the rules that hold for that.
bool is_own_state(std::string_view aggregate_id) { return aggregate_id.starts_with('$'); }

Problem not_redactable() {
  return {
      "not-redactable",
      "What the store keeps about itself (identifiers that begin with '$') cannot be redacted. A state that a client "
      "has stored goes with the aggregate that it is a state of."};
}

Problem is_kept(const RedactionScan::Found& found) {
  if (found.held == 0) {
    return Problem("still-retained", "The body is kept until " + format_timestamp(*found.retained_until) + '.')
        .member("retainedUntil", "\"" + format_timestamp(*found.retained_until) + "\"");
  }
  std::string names;
  JsonWriter json(names);
  json.begin_array();
  for (const std::string& name : found.holds) json.string(name);
  json.end_array();
  return Problem("legal-hold", "A legal hold keeps it: " + *found.holds.begin() + '.').member("holds", names);
}

}  // namespace

std::vector<Endpoint> RedactionEndpoints::endpoints() {
  const EndpointLimits body{.body = BodyForm::Json, .body_bytes_max = kRedactionBodyBytesMax};
  const EndpointLimits one;
  return {
      {Method::Post, "/v1/events/{eventId}/redact", Permission::Administer, body, RunsOn::ReadPool,
       [this](const CallPtr& call) { redact_event(*call); }, audited_as("event.redact")},
      {Method::Post, "/v1/aggregates/{aggregateId}/redact", Permission::Administer, body, RunsOn::ReadPool,
       [this](const CallPtr& call) { redact_aggregate(*call); }, audited_as("aggregate.redact")},
      {Method::Get, "/v1/audit/redactions/{redactionId}", Permission::Audit, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show(*call); }, audited_as("redaction.show")},
  };
}

void RedactionEndpoints::redact_event(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  auto parsed = parse_redaction_request(call.request().body());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  Record record;
  const auto unseen = read_visible_event(*store_.view(), call.caller(), call.parameter("eventId"), record);
  if (unseen) return call.fail(*unseen);
  const RecordHeader& header = record.header();
  if (header.kind == RecordKind::Genesis || (header.kind == RecordKind::Event && is_own_state(header.aggregate_id))) {
    return call.fail(not_redactable());
  }
  auto& request = std::get<RedactionRequest>(parsed);
  RedactionOrder order;
  order.reason = std::move(request.reason);
  order.members = request.members;
  order.aggregate_id = std::string(header.aggregate_id);
  if (header.aggregate_type) order.aggregate_type = std::string(*header.aggregate_type);
  order.record = header.position;
  order.event_id = to_string(header.event_id);
  order.sequence = header.sequence;
  redact(call, std::move(order), request.dry_run);
}

void RedactionEndpoints::redact_aggregate(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  auto parsed = parse_redaction_request(call.request().body());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  const auto found = visible_aggregate(*store_.view(), call.caller(), call.parameter("aggregateId"));
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  const auto& aggregate = std::get<AggregateSummary>(found);
  if (is_own_state(aggregate.aggregate_id)) return call.fail(not_redactable());
  auto& request = std::get<RedactionRequest>(parsed);
  RedactionOrder order;
  order.reason = std::move(request.reason);
  order.members = request.members;
  order.aggregate_id = aggregate.aggregate_id;
  order.aggregate_type = aggregate.aggregate_type;
  order.through = aggregate.last_position;
  redact(call, std::move(order), request.dry_run);
}

void RedactionEndpoints::redact(Call& call, RedactionOrder order, bool dry_run) {
  Response response;
  const KeptRecords kept = room_.kept(order);
  RedactionScan::Found found;
  bool is_whole = false;
  if (dry_run || !kept.none()) {
    RedactionScan scan(store_, order, kept);
    std::vector<Position> seen;
    const auto is_enough = [&] {
      return call.request().abandoned() || found.records() >= kLookRecordsMax || (!dry_run && found.any_kept());
    };
    while (!is_whole && !is_enough()) {
      const auto targets = scan.next(found, seen, is_enough);
      if (!targets && targets.error().kind == ErrorKind::Closed) break;
      if (!targets) return call.fail(read_failed());
      is_whole = targets->empty();
    }
  }
  if (dry_run) {
    response.body = dry_run_json(order, found, is_whole);
    return call.send(std::move(response));
  }
  if (found.any_kept()) return call.fail(is_kept(found));
  call.has_acted();
  const auto asked = room_.request(std::move(order), call.caller(), call.correlation());
  if (const auto* const problem = std::get_if<Problem>(&asked)) return call.fail(*problem);
  const auto& status = std::get<RedactionStatus>(asked);
  response.status = 202;
  response.body = redaction_json(status);
  response.headers.emplace_back("Location", "/v1/audit/redactions/" + status.order.id);
  call.send(std::move(response));
}

void RedactionEndpoints::show(Call& call) {
  const auto id = parse_uuid(call.parameter("redactionId"));
  const auto status =
      id ? room_.status(to_string(*id)) : Result<std::optional<RedactionStatus>>(std::optional<RedactionStatus>());
  if (!status) return call.fail(read_failed());
  if (!*status) return call.fail(Problem("redaction-not-found", "There is no redaction of this id."));
  Response response;
  response.body = redaction_json(**status);
  call.send(std::move(response));
}

}  // namespace stele::api
