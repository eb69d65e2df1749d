#pragma once
// What a subscription tells of itself.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/subscriptions/subscription_definition.h"
#include "engine/base/ids.h"
#include "engine/deliveries/delivery_state.h"

namespace stele::api {

struct SubscriptionStatus {
  SubscriptionDefinition definition;
  SubscriptionStanding standing;
  std::uint32_t generation = 1;
  Position end;                 ///< everything before is done; the watermark is the position before it
  Timestamp end_time;           ///< of the newest record before it; zero = not known
  std::uint64_t in_flight = 0;  ///< events that are being delivered now
  std::uint64_t held_back = 0;  ///< aggregates whose events are delivered apart, or wait behind a dead letter
  std::uint64_t dead_letters = 0;
  std::uint64_t delivered = 0;  ///< events, since the server began
  std::uint64_t failures = 0;   ///< attempts, since the server began
  struct LastError {
    std::string error;
    int status = 0;
    std::string detail;
    Timestamp time;
    std::vector<Position> positions{};  ///< of the attempt that it tells of, ascending; empty: of none
  };
  std::optional<LastError> last_error{};
  bool breaker_open = false;         ///< attempts are made now and then only, for the other side is out of order
  std::uint64_t lag_events = 0;      ///< records behind the watermark, matches and others; 0: nothing waits
  std::chrono::microseconds lag{0};  ///< how old the watermark is; 0: nothing waits
};

struct ListedDeadLetter {
  Position position;
  DeadLetter letter;
};
struct ListedHeld {
  std::string aggregate_id;
  HeldAggregate held;
};

/// Which dead letters are meant; all that is given must hold.
struct DeadLetterFilter {
  std::optional<std::vector<Position>> positions{};
  std::optional<std::string> error{};
  std::optional<std::uint16_t> status{};
  std::vector<std::string> event_types{};
  std::vector<std::string> aggregate_ids{};
  std::optional<Timestamp> before{};  ///< given up before this time
};

/// Where an event stands with a subscription.
enum class DeliveryFate : std::uint8_t {
  NotMatching,  ///< it is not about such events
  BeforeStart,  ///< the subscription begins behind it
  Waiting,      ///< not attempted yet
  InFlight,     ///< being attempted
  Retrying,     ///< failed, and will be attempted again
  HeldBack,     ///< waits for an earlier event of its aggregate
  Parked,       ///< waits behind a dead letter
  DeadLetter,   ///< given up
  Delivered,
};
/// `not-matching`, `before-start` … Static storage.
[[nodiscard]] std::string_view name_of(DeliveryFate fate);

}  // namespace stele::api
