#pragma once
// What the log keeps of a subscription, as events of `$subscription/<id>`: its definition, each change of its state,
// its dead letters, and now and then how far it has come, so that all can go on if the files of deliveries are lost.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/subscriptions/subscription_definition.h"
#include "engine/base/ids.h"
#include "engine/deliveries/delivery_state.h"
#include "engine/log/record.h"

namespace stele::api {

inline constexpr std::string_view kSubscriptionPrefix = "$subscription/";
inline constexpr std::string_view kSubscriptionType = "$subscription";

namespace subscription_event {
inline constexpr std::string_view kCreated = "$SubscriptionCreated";            ///< definition
inline constexpr std::string_view kChanged = "$SubscriptionChanged";            ///< definition, as it is now
inline constexpr std::string_view kStateChanged = "$SubscriptionStateChanged";  ///< standing
inline constexpr std::string_view kSought = "$SubscriptionSought";              ///< place
inline constexpr std::string_view kSecretRotated = "$SubscriptionSecretRotated";
inline constexpr std::string_view kCheckpoint = "$SubscriptionCheckpoint";    ///< place
inline constexpr std::string_view kDeadLetters = "$SubscriptionDeadLetters";  ///< added and removed
inline constexpr std::string_view kDeleted = "$SubscriptionDeleted";
}  // namespace subscription_event

/// Stands in each of them.
struct SubscriptionPlace {
  std::uint32_t generation = 1;
  Position end;                              ///< everything before is done
  Timestamp end_time;                        ///< of the newest record before it; zero = not known
  std::optional<Timestamp> failing_since{};  ///< since when there was nothing but failure
};

/// What one of them says. Members that an event of its type has not are none.
struct SubscriptionEventData {
  SubscriptionPlace place;
  std::optional<SubscriptionDefinition> definition{};
  /// Since the time of the event, unless it says another one: what a subscription has come to by itself is told later.
  std::optional<SubscriptionStanding> standing{};
  struct Added {
    Position position;
    DeadLetter letter;
  };
  bool from_now = false;                  ///< it begins behind the event itself, and the place is not that
  std::optional<std::string> replaces{};  ///< of a creation: whose dead letters it has from before it begins
  std::vector<Added> added{};
  std::vector<Position> removed{};
};

/// JSON.
[[nodiscard]] std::string to_json(const SubscriptionEventData& data);
/// None if it cannot be understood.
[[nodiscard]] std::optional<SubscriptionEventData> parse_subscription_event(const Record& record);

}  // namespace stele::api
