#include "api/subscriptions/subscription_definition.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace stele::api {

namespace {

constexpr std::array kDeliveryKinds{DeliveryKind::Webhook, DeliveryKind::Pull, DeliveryKind::RedisStream,
                                    DeliveryKind::RedisChannel};
constexpr std::array kChoices{OnDeadLetter::Skip, OnDeadLetter::Park, OnDeadLetter::Stop};
constexpr std::array kStates{SubscriptionState::Active,  SubscriptionState::Paused,    SubscriptionState::Stopped,
                             SubscriptionState::Stalled, SubscriptionState::Suspended, SubscriptionState::Disabled};

template <class Choices>
std::optional<typename Choices::value_type> named(const Choices& choices, std::string_view name) {
  const auto found = std::find_if(choices.begin(), choices.end(), [&](auto choice) { return name_of(choice) == name; });
  return found == choices.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

std::string_view name_of(DeliveryKind kind) {
  switch (kind) {
    case DeliveryKind::Webhook:
      return "webhook";
    case DeliveryKind::Pull:
      return "pull";
    case DeliveryKind::RedisStream:
      return "redis-stream";
    case DeliveryKind::RedisChannel:
      return "redis-pubsub";
  }
  return {};
}

std::optional<DeliveryKind> delivery_kind_of(std::string_view name) { return named(kDeliveryKinds, name); }

std::string_view name_of(OnDeadLetter choice) {
  switch (choice) {
    case OnDeadLetter::Skip:
      return "skip";
    case OnDeadLetter::Park:
      return "park";
    case OnDeadLetter::Stop:
      return "stop";
  }
  return {};
}

std::optional<OnDeadLetter> on_dead_letter_of(std::string_view name) { return named(kChoices, name); }

bool is_redis(DeliveryKind kind) { return kind == DeliveryKind::RedisStream || kind == DeliveryKind::RedisChannel; }

EventQuery query_of(const SubscriptionDefinition& definition, std::optional<Position> after) {
  EventQuery query;
  query.event_types = definition.event_types;
  query.aggregate_ids = definition.aggregate_ids;
  query.tags = definition.tags;
  query.after = after;
  query.include_system = std::any_of(definition.event_types.begin(), definition.event_types.end(),
                                     [](const std::string& type) { return type.starts_with('$'); });
  const std::vector<std::string>& allowed = definition.owner.aggregate_types;
  if (allowed.empty()) {
    query.aggregate_types = definition.aggregate_types;
  } else if (definition.aggregate_types.empty()) {
    query.aggregate_types = allowed;
  } else {
    std::copy_if(definition.aggregate_types.begin(), definition.aggregate_types.end(),
                 std::back_inserter(query.aggregate_types),
                 [&](const std::string& type) { return std::binary_search(allowed.begin(), allowed.end(), type); });
    if (query.aggregate_types.empty()) query.before = Position{0};  // nothing, without searching for it
  }
  return query;
}

SchemaVersionChoice version_of(const SubscriptionDefinition& definition) {
  using Kind = SchemaVersionChoice::Kind;
  if (!definition.schema_version) return {};
  if (*definition.schema_version == 0) return {Kind::Stored, 0};
  return {Kind::Exact, *definition.schema_version};
}

DeliverySettings settings_of(const SubscriptionDefinition& definition, const SubscriptionLimits& limits) {
  DeliverySettings settings;
  settings.attempts_max = definition.attempts_max;
  settings.initial_delay = definition.initial_delay;
  settings.delay_max = definition.delay_max;
  settings.on_dead_letter = definition.on_dead_letter;
  settings.batch_events_max = definition.batch_events;
  settings.batch_bytes_max = limits.batch_bytes_max;
  settings.in_flight_max = definition.in_flight_max;
  settings.held_max = limits.held_aggregates_max;
  settings.dead_letters_max = limits.dead_letters_max;
  if (definition.kind == DeliveryKind::Pull) {
    settings.batch_events_max = limits.batch_events_max;  // whoever pulls says how many
  }
  if (is_redis(definition.kind)) {
    settings.on_dead_letter = OnDeadLetter::Stop;
    settings.one_by_one = true;
  }
  return settings;
}

std::string_view name_of(SubscriptionState state) {
  switch (state) {
    case SubscriptionState::Active:
      return "active";
    case SubscriptionState::Paused:
      return "paused";
    case SubscriptionState::Stopped:
      return "stopped";
    case SubscriptionState::Stalled:
      return "stalled";
    case SubscriptionState::Suspended:
      return "suspended";
    case SubscriptionState::Disabled:
      return "disabled";
  }
  return {};
}

std::optional<SubscriptionState> subscription_state_of(std::string_view name) { return named(kStates, name); }

}  // namespace stele::api
