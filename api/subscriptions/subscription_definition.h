#pragma once
// What somebody has asked for: which events, delivered to whom, and how. Nothing of it is secret
// (subscription_secrets.h).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/role.h"
#include "api/endpoint/options.h"
#include "api/records/event_upcasts.h"
#include "engine/base/ids.h"
#include "engine/deliveries/delivery_queue.h"
#include "engine/index/query.h"

namespace stele::api {

inline constexpr std::size_t kLeasesMax = 1'000;  ///< of a subscription that is pulled, at once

enum class DeliveryKind : std::uint8_t { Webhook, Pull, RedisStream, RedisChannel };
/// `webhook`, `pull`, `redis-stream`, `redis-pubsub`. Static storage.
[[nodiscard]] std::string_view name_of(DeliveryKind kind);
[[nodiscard]] std::optional<DeliveryKind> delivery_kind_of(std::string_view name);
[[nodiscard]] bool is_redis(DeliveryKind kind);
/// `skip`, `park`, `stop`. Static storage.
[[nodiscard]] std::string_view name_of(OnDeadLetter choice);
[[nodiscard]] std::optional<OnDeadLetter> on_dead_letter_of(std::string_view name);

/// Who has made a subscription, as they were then. Deliveries show nothing that they could not see.
struct SubscriptionOwner {
  std::string name;      ///< empty: authentication was off
  bool has_key = false;  ///< an API key, which can be revoked; else the subject of a JWT
  Role role = Role::Admin;
  std::vector<std::string> aggregate_types;  ///< the only ones it may see, sorted; empty = no limit
  bool operator==(const SubscriptionOwner&) const = default;
};

struct SubscriptionDefinition {
  std::string id;  ///< `sub_` and 32 hexadecimal digits
  SubscriptionOwner owner;
  Timestamp created;

  // Which events: empty lists do not filter, but that `$…` is only meant where it is named.
  std::vector<std::string> event_types;           ///< any of these
  std::vector<std::string> aggregate_types;       ///< any of these
  std::vector<std::string> aggregate_ids;         ///< any of these
  std::vector<std::string> tags;                  ///< all of these
  std::optional<Position> replay_until;           ///< events up to here are marked as a replay
  std::optional<std::uint32_t> schema_version{};  ///< that they are shown in; 0 = as stored; none = the newest

  DeliveryKind kind = DeliveryKind::Webhook;
  std::string url{};                        ///< of a webhook
  std::vector<std::string> header_names{};  ///< of a webhook: custom header fields
  bool has_ca = false, has_client_certificate = false;
  std::chrono::milliseconds timeout{15'000};  ///< of a webhook, for the answer
  std::string redis_name{};                   ///< the stream's key, or the channel
  std::uint32_t per_second_max = 0;           ///< events; 0 = no limit

  std::uint32_t batch_events = 1;
  std::uint32_t in_flight_max = 16;
  std::uint32_t attempts_max = 10;
  std::chrono::milliseconds initial_delay{1'000};
  std::chrono::milliseconds delay_max{3'600'000};
  OnDeadLetter on_dead_letter = OnDeadLetter::Skip;

  bool operator==(const SubscriptionDefinition&) const = default;
};

/// The events it is about, behind `after`, as far as its owner may see them.
[[nodiscard]] EventQuery query_of(const SubscriptionDefinition& definition, std::optional<Position> after);
[[nodiscard]] SchemaVersionChoice version_of(const SubscriptionDefinition& definition);
[[nodiscard]] DeliverySettings settings_of(const SubscriptionDefinition& definition, const SubscriptionLimits& limits);

enum class SubscriptionState : std::uint8_t {
  Active,
  Paused,     ///< by somebody
  Stopped,    ///< at an event, or by the receiver's wish; resume() goes on with the event it stopped at
  Stalled,    ///< at a bound; goes on by itself once there is room
  Suspended,  ///< its owner may not have it any more
  Disabled,   ///< nothing but failure for days
};
/// `active`, `paused` … Static storage.
[[nodiscard]] std::string_view name_of(SubscriptionState state);
[[nodiscard]] std::optional<SubscriptionState> subscription_state_of(std::string_view name);

/// Where it stands, and since when.
struct SubscriptionStanding {
  SubscriptionState state = SubscriptionState::Active;
  std::string reason;  ///< in words; empty if there is none to give
  Timestamp since;
  bool operator==(const SubscriptionStanding&) const = default;
};

}  // namespace stele::api
