#include "api/audit/legal_hold.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <functional>

#include "api/audit/reason.h"
#include "api/http/body_members.h"
#include "api/http/percent.h"
#include "api/json/timestamp.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t kHoldNameMax = 128;
constexpr std::string_view kClientStates = "$snapshot/";

struct ScopeList {
  std::string_view name;
  std::vector<std::string> HoldScope::*values;
};
constexpr std::array<ScopeList, 4> kLists{{{"aggregateIds", &HoldScope::aggregate_ids},
                                           {"aggregateTypes", &HoldScope::aggregate_types},
                                           {"userIds", &HoldScope::user_ids},
                                           {"eventTypes", &HoldScope::event_types}}};

/// Lists are kept sorted.
bool is_in(const std::vector<std::string>& list, std::string_view value) {
  return std::binary_search(list.begin(), list.end(), value, std::less<>());
}

void read_list(const dom::object& object, const ScopeList& list, HoldScope& to) {
  dom::array values;
  if (object[list.name].get(values) != simdjson::SUCCESS) return;
  for (const dom::element value : values) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) (to.*list.values).emplace_back(text);
  }
}

std::optional<Timestamp> read_time(const dom::object& object, std::string_view name) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return std::nullopt;
  return parse_timestamp(text, FinerTimes::RoundUp);
}

}  // namespace

bool HoldScope::concerns(std::string_view aggregate_id, const std::optional<std::string>& aggregate_type) const {
  if (aggregate_id.starts_with(kClientStates)) aggregate_id.remove_prefix(kClientStates.size());
  return (aggregate_ids.empty() || is_in(aggregate_ids, aggregate_id)) &&
         (aggregate_types.empty() || (aggregate_type && is_in(aggregate_types, *aggregate_type)));
}

bool HoldScope::keeps(const RecordHeader& header) const {
  const auto is_of_user = [this](const std::optional<std::string_view>& id) { return id && is_in(user_ids, *id); };
  return (!from || header.time >= *from) && (!to || header.time < *to) &&
         (event_types.empty() || is_in(event_types, header.event_type)) &&
         (user_ids.empty() || is_of_user(header.user_id) || is_of_user(header.principal));
}

bool is_hold_name(std::string_view name) {
  return !name.empty() && name.size() <= kHoldNameMax && !is_dot_segment(name) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

std::variant<HoldScope, Problem> parse_hold_request(std::string_view body) {
  auto parsed =
      BodyMembers::parse(body, {"aggregateIds", "aggregateTypes", "userIds", "eventTypes", "from", "to", "reason"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  HoldScope scope;
  bool is_narrow = members.has("from") || members.has("to");
  for (const ScopeList& list : kLists) {
    is_narrow = is_narrow || members.has(list.name);
    scope.*list.values = members.texts(list.name, kHoldValuesMax).value_or(std::vector<std::string>{});
    std::sort((scope.*list.values).begin(), (scope.*list.values).end());
  }
  scope.from = members.timestamp("from", FinerTimes::RoundUp);
  scope.to = members.timestamp("to", FinerTimes::RoundUp);
  if (scope.from && scope.to && *scope.from >= *scope.to) members.refuse("to", "Must be behind `from`.");
  scope.reason = required_reason(members);
  if (auto problem = members.problem()) return *std::move(problem);
  if (!is_narrow) {
    const char* const detail =
        "Must have one at least of aggregateIds, aggregateTypes, userIds, eventTypes, from and to.";
    return Problem("invalid-request", detail).error({"pointer", "", detail, {}});
  }
  return scope;
}

void append_scope(JsonWriter& json, const HoldScope& scope) {
  for (const ScopeList& list : kLists) {
    if ((scope.*list.values).empty()) continue;
    json.key(list.name).begin_array();
    for (const std::string& value : scope.*list.values) json.string(value);
    json.end_array();
  }
  if (scope.from) json.key("from").plain(format_timestamp(*scope.from));
  if (scope.to) json.key("to").plain(format_timestamp(*scope.to));
  json.key("reason").string(scope.reason);
}

std::string to_json(const LegalHold& hold) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("name").string(hold.name);
  append_scope(json, hold.scope);
  json.key("position").number(hold.position.value()).key("placedAt").plain(format_timestamp(hold.placed));
  if (!hold.placed_by.empty()) json.key("placedBy").string(hold.placed_by);
  json.end_object();
  return text;
}

std::optional<LegalHold> parse_hold_event(const Record& record) {
  dom::parser parser;
  dom::object object;
  std::string_view name, reason;
  if (parser.parse(std::string(record.body().data.value_or(""))).get(object) != simdjson::SUCCESS ||
      object["name"].get(name) != simdjson::SUCCESS || object["reason"].get(reason) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  LegalHold hold;
  hold.name = std::string(name);
  hold.scope.reason = std::string(reason);
  for (const ScopeList& list : kLists) read_list(object, list, hold.scope);
  hold.scope.from = read_time(object, "from");
  hold.scope.to = read_time(object, "to");
  hold.position = record.header().position;
  hold.placed = record.header().time;
  hold.placed_by = std::string(record.header().principal.value_or(""));
  return hold;
}

}  // namespace stele::api
