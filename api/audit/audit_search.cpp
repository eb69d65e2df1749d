#include "api/audit/audit_search.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "api/audit/action_draft.h"
#include "api/endpoint/audited_action.h"
#include "api/http/parameters.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/records/event_json.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/index/event_filter.h"

namespace stele::api {

namespace {

/// The trail is about what is stored.
void append_stored(std::string& to, const Record& record, const EventNotes* notes, const Upcast* /*upcast*/) {
  append_audit_json(to, record, notes);
}

constexpr RecordList kAuditRecords{
    .cursors = CursorKind::AuditRecords,
    .path = "/v1/events/audit",
    .member = "records",
    .page_item = &append_stored,
    .line_item = &append_stored,
};

/// The longest resource that a record has.
constexpr std::size_t kResourceTextMax = 319;

void append_optional(JsonWriter& json, std::string_view key, const std::optional<std::string_view>& text) {
  json.key(key);
  if (text) {
    json.string(*text);
  } else {
    json.null();
  }
}

/// What an action says of itself, or which event it is.
void append_details(JsonWriter& json, const Record& record) {
  const RecordHeader& header = record.header();
  json.key("details");
  if (header.kind == RecordKind::Action) {
    const auto details = record.bytes_of(BodyMember::Data);
    if (details && !details->empty()) {
      append_minified(json.value(), *details);
    } else {
      json.begin_object().end_object();
    }
    return;
  }
  char id[36];
  write_uuid(header.event_id, id);
  json.begin_object().key("eventId").plain({id, sizeof id}).key("eventType").string(header.event_type);
  json.key("sequenceNumber").number(header.sequence.value());
  json.end_object();
}

std::optional<ActionOutcome> outcome_of(std::string_view name) {
  for (const ActionOutcome outcome : {ActionOutcome::Done, ActionOutcome::Refused, ActionOutcome::Failed}) {
    if (outcome_name(outcome) == name) return outcome;
  }
  return std::nullopt;
}

}  // namespace

void append_audit_json(std::string& to, const Record& record, const EventNotes* notes) {
  const RecordHeader& header = record.header();
  char time[kTimestampBytes];
  write_timestamp(header.time, time);
  JsonWriter json(to);
  json.begin_object().key("position").number(header.position.value());
  json.key("timestamp").plain({time, sizeof time});
  json.key("action").string(action_name(header));
  const std::string resource = resource_name(header);
  append_optional(json, "resource", resource.empty() ? std::nullopt : std::optional<std::string_view>(resource));
  json.key("outcome").plain(outcome_name(header.outcome));
  append_optional(json, "userId", header.user_id);
  append_optional(json, "principal", header.principal);
  append_optional(json, "correlationId", header.correlation_id);
  const std::string address = remote_address_of(record);
  append_optional(json, "remoteAddress", address.empty() ? std::nullopt : std::optional<std::string_view>(address));
  append_details(json, record);
  if (record.any_redacted()) append_redacted_json(to, record, notes);
  json.key("leafHash").plain(base64_encode(as_bytes(record.leaf())));
  json.end_object();
}

RecordChoice choice_of_action(std::string_view action) {
  RecordChoice choice;
  choice.system_types.emplace_back(action);
  choice.client_events = action == "event.append";
  for (const OwnEventAction& own : own_event_actions()) {
    if (own.action == action) choice.system_types.emplace_back(own.event_type);
  }
  return choice;
}

std::vector<std::string> resources_of(std::string_view resource) {
  std::vector<std::string> resources{std::string(resource)};
  if (resource.starts_with(kAggregateResource)) return resources;
  std::string own(resource);
  if (const std::size_t colon = own.find(':'); colon != std::string::npos) own[colon] = '/';
  resources.push_back(std::string(kAggregateResource) + '$' + own);
  return resources;
}

std::variant<RecordListRequest, Problem> parse_audit_search(const Request& request, const AcceptedForm& form,
                                                            const Limits& limits, const Uuid& store) {
  Parameters parameters(request.query(), {"userId", "principal", "from", "to", "action", "resource", "outcome",
                                          "correlationId", "order", "limit", "cursor"});
  RecordListRequest list;
  EventQuery& query = list.query;
  query.include_system = true;
  query.user_id = parameters.text("userId");
  query.principal = parameters.text("principal");
  query.from = parameters.timestamp("from");
  query.to = parameters.timestamp("to");
  query.correlation_id = parameters.text("correlationId");
  if (const auto action = parameters.text("action")) {
    if (find_action(*action) == nullptr) {
      parameters.refuse("action", "There is no such action; /openapi.json lists them.");
    }
    query.choice = choice_of_action(*action);
  }
  if (const auto resource = parameters.text("resource", kResourceTextMax)) query.resources = resources_of(*resource);
  if (const auto outcome = parameters.text("outcome")) {
    query.outcome = outcome_of(*outcome);
    if (!query.outcome) parameters.refuse("outcome", "Must be done, refused or failed.");
  }
  if (auto problem = read_record_list(parameters, kAuditRecords, form, limits, store, list)) {
    return *std::move(problem);
  }
  return list;
}

std::variant<Response, Problem> search_audit(const Store& store, const RecordListRequest& request, const Request& asker,
                                             ReadLimits limits, const EventNotes* notes) {
  return list_records(store, kAuditRecords, request, asker, limits, notes, {});
}

}  // namespace stele::api
