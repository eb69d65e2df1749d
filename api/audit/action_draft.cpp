#include "api/audit/action_draft.h"

#include <utility>

#include "api/http/problem.h"
#include "api/json/control_characters.h"
#include "api/json/json_string.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kAuditType = "$audit";
constexpr std::string_view kPrivateBegin = R"({"remoteAddress":)";
/// kResourceBytesMax of the engine: `kind:name`.
constexpr std::size_t kResourceMax = 319;

RecordDraft draft_of(const AuditedAction& action, ActionOutcome outcome, std::string details, const Clock& clock) {
  const ActionClass retention = outcome == ActionOutcome::Done ? action.retention : ActionClass::Refusal;
  RecordDraft draft;
  draft.kind = RecordKind::Action;
  draft.event_id = make_uuid_v7(clock);
  draft.aggregate_id = std::string(kActionPrefix) += name_of(retention);
  draft.aggregate_type = kAuditType;
  draft.event_type = action.name;
  draft.outcome = outcome;
  draft.retention_class = static_cast<std::uint8_t>(retention);
  draft.data = std::move(details);
  return draft;
}

/// Whether a text that a client has sent may stand in a record's resource.
bool is_resource(std::string_view text) {
  return !text.empty() && text.size() <= kResourceMax && !has_control_characters(text);
}

void append_time(JsonWriter& json, std::string_view key, Timestamp time) {
  char text[kTimestampBytes];
  write_timestamp(time, text);
  json.key(key).plain({text, sizeof text});
}

std::string details_of(const JoinedCall& call) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("count").number(call.count);
  append_time(json, "firstTimestamp", call.first);
  append_time(json, "lastTimestamp", call.last);
  if (call.shown.count > 0) {
    json.key("records").number(call.shown.count);
    json.key("lowestPosition").number(call.shown.lowest.value());
    json.key("highestPosition").number(call.shown.highest.value());
  }
  if (!call.filters.empty()) {
    json.key("filters").begin_array();
    for (const std::string& filters : call.filters) json.string(printable(filters));
    json.end_array().key("otherFilters").number(call.with_other_filters);
  }
  json.key("statuses").begin_object();
  for (const auto& [status, times] : call.statuses) json.key(std::to_string(status)).number(times);
  json.end_object().end_object();
  return text;
}

}  // namespace

RecordDraft action_draft(const AuditedAction& action, std::string_view resource, std::string details,
                         const Clock& clock, ActionOutcome outcome) {
  RecordDraft draft = draft_of(action, outcome, std::move(details), clock);
  if (is_resource(resource)) draft.resource = resource;
  draft.seal();
  return draft;
}

RecordDraft action_draft(const JoinedCall& call, const Clock& clock) {
  RecordDraft draft = draft_of(*call.action, call.outcome, details_of(call), clock);
  if (call.resource && is_resource(*call.resource)) {
    draft.resource = *call.resource;
  } else if (!call.route.empty()) {
    draft.resource = std::string("route:") += call.route;
  }
  if (!call.principal.empty()) draft.principal = call.principal;
  if (call.correlation_id && !call.correlation_id->empty()) draft.correlation_id = *call.correlation_id;
  if (!call.remote_address.empty()) {
    std::string text(kPrivateBegin);
    append_json_string(text, printable(call.remote_address));
    draft.private_fields = text += '}';
  }
  draft.seal();
  return draft;
}

std::string remote_address_of(const Record& record) {
  std::string address;
  std::string_view text = record.body().private_fields.value_or(std::string_view{});
  if (record.header().kind != RecordKind::Action || !text.starts_with(kPrivateBegin)) return address;
  text.remove_prefix(kPrivateBegin.size());
  text.remove_suffix(text.ends_with('}') ? 1 : 0);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') append_decoded_string(address, text);
  return address;
}

}  // namespace stele::api
