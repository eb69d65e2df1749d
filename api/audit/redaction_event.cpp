#include "api/audit/redaction_event.h"

#include <simdjson.h>

#include "api/audit/action_draft.h"
#include "api/json/json_writer.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

bool parse_data(dom::parser& parser, const Record& record, dom::object& to) {
  return parser.parse(std::string(record.body().data.value_or(""))).get(to) == simdjson::SUCCESS;
}

std::optional<std::string> text_in(const dom::object& object, std::string_view name) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

std::optional<std::uint64_t> number_in(const dom::object& object, std::string_view name) {
  std::uint64_t number = 0;
  if (object[name].get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}

}  // namespace

std::string_view name_of(BodyMember member) {
  switch (member) {
    case BodyMember::Data:
      return "data";
    case BodyMember::Metadata:
      return "metadata";
    case BodyMember::Private:
      break;
  }
  return "private";
}

std::optional<BodyMember> body_member_of(std::string_view name) {
  for (const BodyMember member : kBodyMembers) {
    if (name_of(member) == name) return member;
  }
  return std::nullopt;
}

bool RedactionOrder::is_of_retention() const { return !record && aggregate_id.starts_with(kActionPrefix); }

std::string to_json(const RedactionOrder& order) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("redactionId").plain(order.id).key("reason").string(order.reason);
  json.key("aggregateId").string(order.aggregate_id);
  if (order.aggregate_type) json.key("aggregateType").string(*order.aggregate_type);
  if (order.record) {
    json.key("position").number(order.record->value()).key("eventId").plain(order.event_id);
    json.key("sequenceNumber").number(order.sequence.value());
  } else {
    json.key("through").number(order.through.value());
    if (order.after) json.key("after").number(order.after->value());
  }
  json.key("members").begin_array();
  for (const BodyMember member : kBodyMembers) {
    if (order.members.has(member)) json.plain(name_of(member));
  }
  json.end_array().end_object();
  return text;
}

std::string to_json(const RedactionOutcome& outcome) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("events").number(outcome.events).key("members").number(outcome.members);
  json.key("bytes").number(outcome.bytes).key("clientStates").number(outcome.client_states);
  json.key("segments").number(outcome.segments).key("held").number(outcome.held);
  json.key("retained").number(outcome.retained);
  if (outcome.first_kept) json.key("firstKept").number(outcome.first_kept->value());
  json.key("subscriptionIds").begin_array();
  for (const std::string& id : outcome.subscription_ids) json.string(id);
  json.end_array().end_object();
  return text;
}

std::optional<RedactionOrder> parse_redaction_order(const Record& record) {
  dom::parser parser;
  dom::object object;
  if (!parse_data(parser, record, object)) return std::nullopt;
  const auto id = text_in(object, "redactionId"), reason = text_in(object, "reason"),
             aggregate_id = text_in(object, "aggregateId");
  dom::array members;
  if (!id || !reason || !aggregate_id || object["members"].get(members) != simdjson::SUCCESS) return std::nullopt;
  RedactionOrder order;
  order.id = *id;
  order.reason = *reason;
  order.aggregate_id = *aggregate_id;
  order.aggregate_type = text_in(object, "aggregateType");
  for (const dom::element element : members) {
    std::string_view name;
    const auto member = element.get(name) == simdjson::SUCCESS ? body_member_of(name) : std::nullopt;
    if (!member) return std::nullopt;
    order.members.add(*member);
  }
  const auto position = number_in(object, "position"), through = number_in(object, "through"),
             sequence = number_in(object, "sequenceNumber");
  if (position.has_value() == through.has_value()) return std::nullopt;
  if (position) order.record = Position{*position};
  order.through = Position{through.value_or(0)};
  if (const auto after = number_in(object, "after")) order.after = Position{*after};
  order.sequence = SequenceNumber{sequence.value_or(0)};
  order.event_id = text_in(object, "eventId").value_or("");
  return order;
}

std::optional<RedactionOutcome> parse_redaction_outcome(const Record& record) {
  dom::parser parser;
  dom::object object;
  if (!parse_data(parser, record, object)) return std::nullopt;
  RedactionOutcome outcome;
  outcome.events = number_in(object, "events").value_or(0);
  outcome.members = number_in(object, "members").value_or(0);
  outcome.bytes = number_in(object, "bytes").value_or(0);
  outcome.client_states = number_in(object, "clientStates").value_or(0);
  outcome.segments = number_in(object, "segments").value_or(0);
  outcome.held = number_in(object, "held").value_or(0);
  outcome.retained = number_in(object, "retained").value_or(0);
  if (const auto first = number_in(object, "firstKept")) outcome.first_kept = Position{*first};
  dom::array ids;
  if (object["subscriptionIds"].get(ids) == simdjson::SUCCESS) {
    for (const dom::element element : ids) {
      std::string_view id;
      if (element.get(id) == simdjson::SUCCESS) outcome.subscription_ids.emplace_back(id);
    }
  }
  return outcome;
}

}  // namespace stele::api
