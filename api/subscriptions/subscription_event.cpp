#include "api/subscriptions/subscription_event.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/subscriptions/definition_json.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

/// False: there is such a member, and it is no time.
bool read_time(const dom::object& object, std::string_view name, std::optional<Timestamp>& to) {
  const auto member = object[name];
  if (member.error() == simdjson::NO_SUCH_FIELD) return true;
  std::string_view text;
  if (member.get(text) != simdjson::SUCCESS) return false;
  to = parse_timestamp(text, FinerTimes::Refuse);
  return to.has_value();
}

bool read_place(const dom::object& object, SubscriptionPlace& to) {
  std::uint64_t generation = 0, end = 0;
  if (object["generation"].get(generation) != simdjson::SUCCESS || object["end"].get(end) != simdjson::SUCCESS ||
      generation > std::numeric_limits<std::uint32_t>::max()) {
    return false;
  }
  to.generation = static_cast<std::uint32_t>(generation);
  to.end = Position{end};
  std::optional<Timestamp> end_time;
  if (!read_time(object, "endTime", end_time) || !read_time(object, "failingSince", to.failing_since)) return false;
  if (end_time) to.end_time = *end_time;
  return true;
}

bool read_standing(const dom::object& object, SubscriptionEventData& to) {
  std::string_view state, reason;
  if (object["state"].get(state) != simdjson::SUCCESS || object["reason"].get(reason) != simdjson::SUCCESS) {
    return false;
  }
  const auto known = subscription_state_of(state);
  std::optional<Timestamp> since;
  if (!known || !read_time(object, "since", since)) return false;
  to.standing = SubscriptionStanding{*known, std::string(reason), since.value_or(Timestamp{})};
  return true;
}

bool read_added(const dom::element& element, SubscriptionEventData& to) {
  std::uint64_t position = 0, attempts = 0, status = 0;
  std::string_view aggregate_id, time, error;
  if (element["position"].get(position) != simdjson::SUCCESS ||
      element["aggregateId"].get(aggregate_id) != simdjson::SUCCESS ||
      element["attempts"].get(attempts) != simdjson::SUCCESS || element["time"].get(time) != simdjson::SUCCESS ||
      element["error"].get(error) != simdjson::SUCCESS || element["status"].get(status) != simdjson::SUCCESS ||
      attempts > std::numeric_limits<std::uint32_t>::max() || status > std::numeric_limits<std::uint16_t>::max()) {
    return false;
  }
  const auto given_up = parse_timestamp(time, FinerTimes::Refuse);
  if (!given_up) return false;
  to.added.push_back(
      {Position{position}, DeadLetter{std::string(aggregate_id), static_cast<std::uint32_t>(attempts), *given_up,
                                      std::string(error), static_cast<std::uint16_t>(status)}});
  return true;
}

bool read_dead_letters(const dom::object& object, SubscriptionEventData& to) {
  dom::array added, removed;
  if (object["added"].get(added) != simdjson::SUCCESS || object["removed"].get(removed) != simdjson::SUCCESS) {
    return false;
  }
  for (const dom::element element : added) {
    if (!read_added(element, to)) return false;
  }
  for (const dom::element element : removed) {
    std::uint64_t position = 0;
    if (element.get(position) != simdjson::SUCCESS) return false;
    to.removed.push_back(Position{position});
  }
  return true;
}

bool read_definition_of(const dom::object& object, SubscriptionEventData& to) {
  dom::object definition;
  if (object["definition"].get(definition) == simdjson::SUCCESS) to.definition = read_definition(definition);
  return to.definition.has_value();
}

}  // namespace

std::string to_json(const SubscriptionEventData& data) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.key("generation").number(data.place.generation).key("end").number(data.place.end.value());
  if (data.place.end_time != Timestamp{}) json.key("endTime").plain(format_timestamp(data.place.end_time));
  if (data.place.failing_since) {
    json.key("failingSince").plain(format_timestamp(*data.place.failing_since));
  }
  if (data.from_now) json.key("from").plain("now");
  if (data.replaces) json.key("replaces").string(*data.replaces);
  if (data.definition) {
    json.key("definition").begin_object();
    write_definition(json, *data.definition);
    json.end_object();
  }
  if (data.standing) {
    json.key("state").plain(name_of(data.standing->state)).key("reason").string(data.standing->reason);
    if (data.standing->since != Timestamp{}) json.key("since").plain(format_timestamp(data.standing->since));
  }
  if (!data.added.empty() || !data.removed.empty()) {
    json.key("added").begin_array();
    for (const SubscriptionEventData::Added& added : data.added) {
      json.begin_object().key("position").number(added.position.value());
      json.key("aggregateId").string(added.letter.aggregate_id).key("attempts").number(added.letter.attempts);
      json.key("time").plain(format_timestamp(added.letter.time)).key("error").string(added.letter.error);
      json.key("status").number(added.letter.status).end_object();
    }
    json.end_array().key("removed").begin_array();
    for (const Position position : data.removed) json.number(position.value());
    json.end_array();
  }
  json.end_object();
  return text;
}

std::optional<SubscriptionEventData> parse_subscription_event(const Record& record) {
  namespace type = subscription_event;
  dom::parser parser;
  dom::object object;
  SubscriptionEventData data;
  const std::string text(record.body().data.value_or(std::string_view()));
  if (parser.parse(text).get(object) != simdjson::SUCCESS || !read_place(object, data.place)) return std::nullopt;
  const std::string_view event_type = record.header().event_type;
  bool good = false;
  if (event_type == type::kCreated || event_type == type::kChanged) {
    good = read_definition_of(object, data);
  } else if (event_type == type::kStateChanged) {
    good = read_standing(object, data);
  } else if (event_type == type::kDeadLetters) {
    good = read_dead_letters(object, data);
  } else {
    constexpr std::array kOthers{type::kSought, type::kSecretRotated, type::kCheckpoint, type::kDeleted};
    good = std::find(kOthers.begin(), kOthers.end(), event_type) != kOthers.end();
  }
  if (!good) return std::nullopt;
  std::string_view replaces;
  if (object["replaces"].get(replaces) == simdjson::SUCCESS) data.replaces = replaces;
  std::string_view from;
  data.from_now = object["from"].get(from) == simdjson::SUCCESS && from == "now";
  return data;
}

}  // namespace stele::api
