#include "api/event_json.h"

#include "api/json_text.h"
#include "api/json_writer.h"
#include "api/timestamp.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

void write_uuid_member(JsonWriter& json, std::string_view name, const Uuid& id) {
  char text[36];
  write_uuid(id, text);
  json.key(name).plain({text, sizeof text});
}

void write_time(JsonWriter& json, std::string_view name, Timestamp time) {
  std::string& to = json.key(name).value();
  to += '"';
  append_timestamp(to, time);
  to += '"';
}

void write_text(JsonWriter& json, std::string_view name, const std::optional<std::string_view>& text) {
  if (text) json.key(name).string(*text);
}

void write_body(JsonWriter& json, std::string_view name, const std::optional<std::string_view>& bytes, DataForm form) {
  if (!bytes || bytes->empty()) return;
  std::string& to = json.key(name).value();
  if (form == DataForm::Minified) {
    append_minified(to, *bytes);
  } else {
    to += *bytes;
  }
}

void write_header(JsonWriter& json, const RecordHeader& header) {
  if (header.kind != RecordKind::Event)
    json.key("kind").plain(header.kind == RecordKind::Genesis ? "genesis" : "action");
  write_uuid_member(json, "eventId", header.event_id);
  if (!header.event_type.empty()) json.key("eventType").string(header.event_type);
  if (!header.aggregate_id.empty()) json.key("aggregateId").string(header.aggregate_id);
  write_text(json, "aggregateType", header.aggregate_type);
  if (header.kind == RecordKind::Event) json.key("sequenceNumber").number(header.sequence.value());
  json.key("position").number(header.position.value());
  write_time(json, "timestamp", header.time);
  if (header.occurred_at) write_time(json, "occurredAt", *header.occurred_at);
  if (header.kind == RecordKind::Event) json.key("version").number(header.schema_version);
  write_text(json, "userId", header.user_id);
  write_text(json, "correlationId", header.correlation_id);
  write_text(json, "causationId", header.causation_id);
  write_text(json, "action", header.action);
}

}  // namespace

void append_event_json(std::string& to, const Record& record, DataForm form) {
  JsonWriter json(to);
  json.begin_object();
  write_header(json, record.header());
  write_body(json, "data", record.body().data, form);
  write_body(json, "metadata", record.body().metadata, form);
  if (record.any_redacted()) {
    json.key("redacted").begin_array();
    if (record.redacted(BodyMember::Data)) json.plain("data");
    if (record.redacted(BodyMember::Metadata)) json.plain("metadata");
    json.end_array();
  }
  json.end_object();
}

void append_receipt_json(std::string& to, const RecordHeader& header) {
  JsonWriter json(to);
  json.begin_object();
  write_header(json, header);
  json.end_object();
}

}  // namespace stele::api
