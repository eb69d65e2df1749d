#include "api/audit/redaction_json.h"

#include "api/json/json_writer.h"
#include "api/json/timestamp.h"

namespace stele::api {

namespace {

void append_scope(JsonWriter& json, const RedactionOrder& order) {
  if (order.record) json.key("eventId").plain(order.event_id);
  json.key("aggregateId").string(order.aggregate_id);
  if (order.aggregate_type) json.key("aggregateType").string(*order.aggregate_type);
  json.key("members").begin_array();
  for (const BodyMember member : kBodyMembers) {
    if (order.members.has(member)) json.plain(name_of(member));
  }
  json.end_array();
}

void append_copy(JsonWriter& json, std::string_view copy, std::string_view detail) {
  json.begin_object().key("copy").plain(copy).key("detail").string(detail);
}

}  // namespace

std::string redaction_json(const RedactionStatus& status) {
  std::string text;
  JsonWriter json(text);
  const RedactionOrder& order = status.order;
  const RedactionOutcome& outcome = status.outcome;
  json.begin_object().key("redactionId").plain(order.id).key("state").plain(name_of(status.state));
  append_scope(json, order);
  json.key("reason").string(order.reason).key("position").number(status.position.value());
  json.key("requestedAt").plain(format_timestamp(status.requested));
  if (!status.requested_by.empty()) json.key("requestedBy").string(status.requested_by);
  if (status.completed) json.key("completedAt").plain(format_timestamp(*status.completed));
  json.key("counts").begin_object().key("events").number(outcome.events).key("members").number(outcome.members);
  json.key("bytes").number(outcome.bytes).key("clientStates").number(outcome.client_states);
  json.key("segments").number(outcome.segments).key("held").number(outcome.held);
  json.key("retained").number(outcome.retained).end_object();
  json.key("waitingFor").begin_array();
  for (const std::string& each : status.waiting_for) json.string(each);
  json.end_array().key("outOfReach").begin_array();
  append_copy(json, "backups", "Copies of the data folder that were made before.");
  json.end_object();
  append_copy(json, "exports", "What clients have read, listed or exported.");
  json.end_object();
  append_copy(json, "deliveries",
              "What was delivered or published. Of the subscriptions that are not deleted, these may have done so.");
  json.key("subscriptionIds").begin_array();
  for (const std::string& id : outcome.subscription_ids) json.string(id);
  json.end_array().end_object();
  if (status.redis_until) {
    append_copy(json, "redis",
                "States in a Redis that does not answer, or in copies of one, until they end by themselves.");
    json.key("until").plain(format_timestamp(*status.redis_until)).end_object();
  }
  json.end_array().end_object();
  return text;
}

std::string dry_run_json(const RedactionOrder& order, const RedactionScan::Found& found, bool is_whole) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("dryRun").boolean(true);
  append_scope(json, order);
  json.key("counts").begin_object().key("events").number(found.events).key("members").number(found.members);
  json.key("bytes").number(found.bytes).key("clientStates").number(found.client_states);
  json.key("unchanged").number(found.unchanged).key("held").number(found.held);
  json.key("retained").number(found.retained).end_object();
  if (!found.holds.empty()) {
    json.key("holds").begin_array();
    for (const std::string& name : found.holds) json.string(name);
    json.end_array();
  }
  if (found.retained_until) json.key("retainedUntil").plain(format_timestamp(*found.retained_until));
  json.key("complete").boolean(is_whole).end_object();
  return text;
}

}  // namespace stele::api
