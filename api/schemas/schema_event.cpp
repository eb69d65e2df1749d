#include "api/schemas/schema_event.h"

#include <simdjson.h>

#include <limits>
#include <memory>
#include <utility>
#include <variant>

#include "api/endpoint/event_type.h"
#include "api/http/body_members.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "engine/base/digest.h"
#include "engine/store/store.h"

namespace stele::api {

namespace {

/// The data of an event, with what a parser needs behind it.
class SchemaEventData {
 public:
  explicit SchemaEventData(const Record& record) : text_(record.body().data.value_or("")) {
    const std::size_t size = text_.size();
    text_.append(simdjson::SIMDJSON_PADDING, '\0');
    auto parsed =
        BodyMembers::parse(std::string_view(text_).substr(0, size),
                           {"eventType", "version", "active", "uncheckedVersionMax", "schema", "compatibility",
                            "policy", "upcaster", "to", "reason", "checked", "failed", "failures"});
    if (auto* const members = std::get_if<BodyMembers>(&parsed)) members_.emplace(std::move(*members));
  }

  /// Null if it is no object.
  [[nodiscard]] BodyMembers* members() { return members_ ? &*members_ : nullptr; }

 private:
  std::string text_;
  std::optional<BodyMembers> members_;
};

bool apply_alias(bool is_set, const std::string& event_type, BodyMembers& members, RegisteredSchemas& to) {
  auto changed = std::make_shared<AliasTable>(*to.aliases);
  if (is_set) {
    const auto name = members.text("to");
    if (!name || !is_event_type(*name)) return false;
    changed->set(event_type, *name);
  } else {
    changed->remove(event_type);
  }
  to.aliases = std::move(changed);
  return true;
}

}  // namespace

std::string registered_data(std::string_view event_type, std::uint32_t version, bool active,
                            std::uint32_t unchecked_version_max, std::string_view schema, const Upcaster* upcaster) {
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("eventType").string(event_type).key("version").number(version);
  json.key("active").boolean(active).key("uncheckedVersionMax").number(unchecked_version_max);
  json.key("schema").raw(schema);
  if (upcaster != nullptr) json.key("upcaster").raw(upcaster->text);
  json.end_object();
  return data;
}

std::string version_data(std::string_view event_type, std::uint32_t version) {
  std::string data;
  JsonWriter(data).begin_object().key("eventType").string(event_type).key("version").number(version).end_object();
  return data;
}

std::string configured_data(std::string_view event_type, const SchemaSettings& settings) {
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("eventType").string(event_type);
  json.key("compatibility").plain(name_of(settings.compatibility));
  json.key("policy").plain(name_of(settings.policy)).end_object();
  return data;
}

std::string alias_data(std::string_view event_type, const std::optional<std::string>& to) {
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("eventType").string(event_type);
  if (to) json.key("to").string(*to);
  json.end_object();
  return data;
}

std::string dropped_data(std::string_view event_type, std::uint32_t version, std::string_view reason,
                         const SchemaHistory* found) {
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("eventType").string(event_type).key("version").number(version).key("reason").plain(reason);
  if (found != nullptr) append_result(json, *found);
  json.end_object();
  return data;
}

Result<std::string> dropped_members(const Record& record) {
  SchemaEventData data(record);
  const auto reason = data.members() == nullptr ? std::nullopt : data.members()->text("reason");
  if (record.header().event_type != kSchemaCandidateDropped || !reason) {
    return Error{.kind = ErrorKind::Corrupt, .message = "an event that should have dropped a candidate is none"};
  }
  std::string members = "\"state\":";
  append_json_string(members, *reason);
  for (const std::string_view name : {"checked", "failed", "failures"}) {
    const auto value = data.members()->value(name);
    if (value) members.append(",\"").append(name).append("\":").append(value->text);
  }
  return members;
}

Digest schema_identity(std::string_view schema) {
  std::string minified;
  append_minified(minified, schema);
  return sha256({minified});
}

bool apply_schema_event(const Record& record, RegisteredSchemas& to) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
  const RecordHeader& header = record.header();
  SchemaEventData data(record);
  BodyMembers* const members = data.members();
  if (header.kind != RecordKind::Event || members == nullptr) return false;
  const auto event_type = members->text("eventType");
  if (!event_type || !is_event_type(*event_type)) return false;
  if (header.event_type == kEventTypeAliased || header.event_type == kEventTypeUnaliased) {
    return apply_alias(header.event_type == kEventTypeAliased, *event_type, *members, to);
  }
  const EventTypeSchemas* const before = to.find(*event_type);
  auto changed = before == nullptr ? std::make_shared<EventTypeSchemas>() : std::make_shared<EventTypeSchemas>(*before);
  if (header.event_type == kSchemaConfigured) {
    const auto compatibility = schema_compatibility_of(members->text("compatibility").value_or(""));
    const auto policy = schema_policy_of(members->text("policy").value_or(""));
    if (!compatibility || !policy) return false;
    changed->settings = {*compatibility, *policy};
  } else {
    const auto version = members->integer("version", 1, kMax);
    if (!version) return false;
    const bool is_candidate = header.event_type == kSchemaCandidate;
    if (is_candidate || header.event_type == kSchemaRegistered) {
      const auto schema = members->value("schema");
      const auto active = members->flag("active");
      const auto unchecked = members->integer("uncheckedVersionMax", 0, kMax);
      if (!schema || !active || !unchecked || *version != changed->versions.size() + 1) return false;
      if (is_candidate && changed->candidate) return false;
      const SchemaVersion* const before_it = changed->newest();
      auto upcaster = take_upcaster(*members);
      if (upcaster == nullptr && members->has("upcaster")) return false;
      if (upcaster != nullptr && (before_it == nullptr || upcaster->from != before_it->version)) return false;
      SchemaVersion next{.version = static_cast<std::uint32_t>(*version),
                         .state = *active ? SchemaVersion::State::Active : SchemaVersion::State::Inactive,
                         .identity = schema_identity(schema->text),
                         .position = header.position,
                         .time = header.time,
                         .from = before_it == nullptr ? 0 : before_it->version,
                         .upcaster = std::move(upcaster)};
      if (is_candidate) {
        changed->candidate = std::move(next);
      } else {
        if (next.upcaster != nullptr) to.upcaster_bytes += next.upcaster->text.size();
        to.any_second_version = to.any_second_version || *version > 1;
        changed->unchecked_version_max = static_cast<std::uint32_t>(*unchecked);
        changed->versions.push_back(std::move(next));
        changed->candidate.reset();
      }
    } else if (header.event_type == kSchemaCandidateDropped) {
      if (!changed->candidate || changed->candidate->version != *version) return false;
      changed->candidate.reset();
    } else {
      const bool activated = header.event_type == kSchemaActivated;
      if ((!activated && header.event_type != kSchemaWithdrawn) || changed->find(*version) == nullptr) return false;
      changed->versions[*version - 1].state =
          activated ? SchemaVersion::State::Active : SchemaVersion::State::Withdrawn;
    }
  }
  to.types.insert_or_assign(*event_type, std::move(changed));
  return true;
}

Result<std::uint64_t> apply_schema_events(const ReadView& view, RegisteredSchemas& to) {
  EventQuery query;
  query.aggregate_type = std::string(kSchemaAggregateType);
  query.include_system = true;
  query.after = to.change;
  STELE_ASSIGN(const std::unique_ptr<EventStream> changes, view.query(query));
  Record record;
  std::uint64_t unreadable = 0;
  while (true) {
    STELE_ASSIGN(const bool found, changes->next(record));
    if (!found) return unreadable;
    if (!apply_schema_event(record, to)) ++unreadable;
    to.change = record.header().position;
  }
}

Result<std::uint32_t> registered_version(const Record& record) {
  SchemaEventData data(record);
  const auto version = data.members() == nullptr
                           ? std::nullopt
                           : data.members()->integer("version", 1, std::numeric_limits<std::uint32_t>::max());
  if (!version) {
    return Error{.kind = ErrorKind::Corrupt, .message = "an event about a version of a schema names none"};
  }
  return static_cast<std::uint32_t>(*version);
}

Result<std::string> registered_text(const Record& record) {
  SchemaEventData data(record);
  const auto schema = data.members() == nullptr ? std::nullopt : data.members()->value("schema");
  const std::string_view kind = record.header().event_type;
  if ((kind != kSchemaRegistered && kind != kSchemaCandidate) || !schema) {
    return Error{.kind = ErrorKind::Corrupt, .message = "an event that should have registered a schema has none"};
  }
  return std::string(schema->text);
}

}  // namespace stele::api
