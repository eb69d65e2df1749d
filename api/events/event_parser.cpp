#include "api/events/event_parser.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "api/endpoint/event_type.h"
#include "api/events/derived_event_id.h"
#include "api/events/member_values.h"
#include "api/http/percent.h"
#include "api/json/timestamp.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

enum class EventMember : unsigned {
  EventType,
  AggregateId,
  AggregateType,
  Data,
  Metadata,
  UserId,
  CorrelationId,
  CausationId,
  Version,
  OccurredAt,
  Tags,
  EventId,
  SequenceNumber,
  Timestamp,
  Position,
  Unknown,
};

constexpr std::array<std::string_view, 15> kEventMembers{
    "eventType", "aggregateId",   "aggregateType",  "data",      "metadata",
    "userId",    "correlationId", "causationId",    "version",   "occurredAt",
    "tags",      "eventId",       "sequenceNumber", "timestamp", "position"};

EventMember member_of(std::string_view name) {
  for (unsigned i = 0; i < kEventMembers.size(); ++i) {
    if (kEventMembers[i] == name) return static_cast<EventMember>(i);
  }
  return EventMember::Unknown;
}

}  // namespace

void EventParser::parse(const dom::object& object, JsonCursor& cursor, std::size_t index, RecordDraft& draft) {
  bool has_id = false;
  unsigned seen = 0;
  cursor.enter();
  for (const auto field : object) {
    cursor.expect_member();
    const JsonSpan span = cursor.value();
    const EventMember member = member_of(field.key);
    if (member == EventMember::Unknown) {
      errors_.add(member_pointer(field.key), "There is no such member.");
      continue;
    }
    const unsigned bit = 1U << static_cast<unsigned>(member);
    if ((seen & bit) != 0) {
      errors_.add(member_pointer(field.key), "The member stands twice.");
      continue;
    }
    seen |= bit;
    switch (member) {
      case EventMember::EventType:
        event_type(field.value, draft.event_type);
        break;
      case EventMember::AggregateId:
        identifier_in_path(field.value, "/aggregateId", draft.aggregate_id);
        break;
      case EventMember::AggregateType:
        identifier_in_path(field.value, "/aggregateType", draft.aggregate_type.emplace());
        draft.given.aggregate_type = true;
        break;
      case EventMember::Data:
        body_member(span, "/data", limits_.data_bytes_max, draft.data);
        break;
      case EventMember::Metadata:
        if (!field.value.is_object()) {
          errors_.add("/metadata", "Must be an object.");
        } else {
          body_member(span, "/metadata", limits_.metadata_bytes_max, draft.metadata);
        }
        break;
      case EventMember::UserId:
        text(field.value, "/userId", draft.user_id.emplace());
        break;
      case EventMember::CorrelationId:
        text(field.value, "/correlationId", draft.correlation_id.emplace());
        draft.given.correlation_id = true;
        break;
      case EventMember::CausationId:
        text(field.value, "/causationId", draft.causation_id.emplace());
        break;
      case EventMember::Version:
        if (const auto version =
                take_integer(field.value, "/version", 1, std::numeric_limits<std::uint32_t>::max(), errors_)) {
          draft.schema_version = static_cast<std::uint32_t>(*version);
        }
        draft.given.schema_version = true;
        break;
      case EventMember::OccurredAt:
        occurred_at(field.value, draft);
        break;
      case EventMember::Tags:
        tags(field.value, draft.tags);
        break;
      case EventMember::EventId:
        has_id = event_id(field.value, draft);
        break;
      case EventMember::SequenceNumber:
        if (const auto number =
                take_integer(field.value, "/sequenceNumber", 1, std::numeric_limits<std::int64_t>::max(), errors_)) {
          draft.expected_sequence = SequenceNumber{*number};
        }
        break;
      case EventMember::Timestamp:
        errors_.add("/timestamp", "Is given by the server; occurredAt is yours.");
        break;
      case EventMember::Position:
        errors_.add("/position", "Is given by the server.");
        break;
      case EventMember::Unknown:
        break;
    }
  }
  cursor.expect_no_member();
  const auto require = [&](EventMember member, std::string_view pointer) {
    if ((seen & (1U << static_cast<unsigned>(member))) == 0) errors_.add(pointer, "The member is required.");
  };
  require(EventMember::EventType, "/eventType");
  require(EventMember::AggregateId, "/aggregateId");
  require(EventMember::Data, "/data");
  if (errors_.any()) return;
  if (!draft.correlation_id) draft.correlation_id = context_.correlation_id;
  if (!has_id) {
    draft.event_id = context_.idempotency_key ? derived_event_id(context_.caller, *context_.idempotency_key, index)
                                              : make_uuid_v7(clock_);
  }
}

bool EventParser::text(const dom::element& value, std::string_view pointer, std::string& to) {
  return take_text(value, pointer, limits_.string_bytes_max, errors_, to);
}

void EventParser::identifier(const dom::element& value, std::string_view pointer, std::string& to) {
  if (text(value, pointer, to) && to.front() == '$')
    errors_.add(pointer, "Identifiers that begin with $ are the store's own.");
}

void EventParser::identifier_in_path(const dom::element& value, std::string_view pointer, std::string& to) {
  identifier(value, pointer, to);
  if (is_dot_segment(to))
    errors_.add(pointer, "Must not be . or .., which clients take out of a path, encoded or not.");
}

void EventParser::event_type(const dom::element& value, std::string& to) {
  std::string_view given;
  if (value.get(given) != simdjson::SUCCESS) {
    errors_.add("/eventType", "Must be a string.");
  } else if (given.starts_with('$')) {
    errors_.add("/eventType", "Identifiers that begin with $ are the store's own.");
  } else if (!is_event_type(given)) {
    errors_.add("/eventType", "Must be 1 to 128 of letters, digits and . _ - : /, and neither '.' nor '..'.");
  } else {
    to = given;
  }
}

void EventParser::occurred_at(const dom::element& value, RecordDraft& draft) {
  std::string_view given;
  if (value.get(given) == simdjson::SUCCESS) draft.occurred_at = parse_timestamp(given, FinerTimes::Refuse);
  if (!draft.occurred_at) {
    errors_.add("/occurredAt",
                "Must be an RFC 3339 date-time such as 2026-03-01T12:00:00Z, with at most six fractional digits.");
  }
}

void EventParser::tags(const dom::element& value, std::vector<std::string>& to) {
  dom::array list;
  if (value.get(list) != simdjson::SUCCESS) {
    errors_.add("/tags", "Must be a list of strings.");
    return;
  }
  const std::size_t bytes_max = std::min(limits_.string_bytes_max, kTagBytesMax);
  std::size_t index = 0;
  for (const dom::element element : list) {
    if (index == kTagsMax) {
      errors_.add("/tags", "An event may have at most " + std::to_string(kTagsMax) + " tags.");
      return;
    }
    const std::string place = "/tags/" + std::to_string(index++);
    std::string tag;
    if (!take_text(element, place, bytes_max, errors_, tag)) continue;
    const auto behind = std::lower_bound(to.begin(), to.end(), tag);
    if (tag.front() == '$') {
      errors_.add(place, "Tags that begin with $ are the store's own.");
    } else if (behind != to.end() && *behind == tag) {
      errors_.add(place, "The tag stands twice.");
    } else {
      to.insert(behind, std::move(tag));
    }
  }
}

bool EventParser::event_id(const dom::element& value, RecordDraft& draft) {
  std::string_view given;
  std::optional<Uuid> id;
  if (value.get(given) == simdjson::SUCCESS) id = parse_uuid(given);
  if (!id) {
    errors_.add("/eventId", "Must be a UUID such as 0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a.");
    return false;
  }
  draft.event_id = *id;
  return true;
}

void EventParser::body_member(const JsonSpan& span, std::string_view pointer, std::size_t bytes_max,
                              std::optional<std::string>& to) {
  if (span.text.size() > bytes_max) {
    errors_.add_too_large(pointer, "Has " + std::to_string(span.text.size()) + " bytes; at most " +
                                       std::to_string(bytes_max) + " are allowed.");
  } else if (span.depth > limits_.depth_max) {
    errors_.add(pointer, "Is nested " + std::to_string(span.depth) + " levels deep; at most " +
                             std::to_string(limits_.depth_max) + " are allowed.");
  } else {
    to.emplace(span.text);
  }
}

}  // namespace stele::api
