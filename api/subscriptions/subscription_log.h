#pragma once
// What the log knows of subscriptions, read and written (subscription_event.h).

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/access/principal.h"
#include "api/endpoint/own_events.h"
#include "api/http/problem.h"
#include "api/subscriptions/subscription_definition.h"
#include "api/subscriptions/subscription_event.h"
#include "engine/base/clock.h"
#include "engine/base/result.h"
#include "engine/deliveries/delivery_state.h"
#include "engine/store/read_view.h"
#include "engine/store/store.h"

namespace stele::api {

/// One of a subscription's events, to be appended.
[[nodiscard]] RecordDraft subscription_draft(const SubscriptionDefinition& definition, std::string_view type,
                                             const SubscriptionEventData& data, const Caller& by,
                                             const std::string& correlation, const Clock& clock);
/// Appends it; durable on return.
[[nodiscard]] std::variant<OwnEventPlace, Problem> append_subscription_event(
    Store& store, const SubscriptionDefinition& definition, std::string_view type, const SubscriptionEventData& data,
    const Caller& by, const std::string& correlation, const Clock& clock);

struct LoggedSubscription {
  SubscriptionKey key;  ///< position of the event that has created it
  SubscriptionDefinition definition;
  SubscriptionStanding standing;
  SubscriptionPlace place;  ///< the newest that was told
  Position begun;           ///< where its generation has begun
};
struct LoggedSubscriptions {
  std::vector<LoggedSubscription> all;  ///< but those that were deleted
  std::size_t unreadable = 0;           ///< of which events cannot be understood
};
/// Reads a few events of each, not all.
[[nodiscard]] Result<LoggedSubscriptions> read_logged_subscriptions(const ReadView& view);

/// All its dead letters, from all its events about them, and those that it has from what it replaced: of that `kept`,
/// the states of the journal, may know more than the log was told.
[[nodiscard]] Result<std::map<Position, DeadLetter>> read_logged_dead_letters(
    const ReadView& view, std::string_view subscription_id, const std::map<SubscriptionKey, DeliveryState>& kept);

}  // namespace stele::api
