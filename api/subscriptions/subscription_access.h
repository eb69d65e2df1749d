#pragma once
// Who may look at a subscription, and who may do something with it: its owner, and those whose affair all of them are.
// For others there is no such subscription.

#include <optional>
#include <string_view>
#include <variant>

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "api/subscriptions/subscription_definition.h"
#include "api/subscriptions/subscription_room.h"
#include "api/subscriptions/subscription_status.h"

namespace stele::api {

/// Its owner, and all auditors and administrators who are not limited to aggregate types. An owner is who has the same
/// name, and is not limited more than it was then: with a narrower key nothing is seen that the key must not see.
[[nodiscard]] bool may_look_at(const Caller& caller, const SubscriptionOwner& owner);
/// Its owner, and all administrators who are not limited.
[[nodiscard]] bool may_change(const Caller& caller, const SubscriptionOwner& owner);

/// 404 `subscription-not-found`.
[[nodiscard]] std::variant<SubscriptionStatus, Problem> find_to_look_at(const SubscriptionRoom& room,
                                                                        const Caller& caller, std::string_view id);
[[nodiscard]] std::variant<SubscriptionStatus, Problem> find_to_change(const SubscriptionRoom& room,
                                                                       const Caller& caller, std::string_view id);

/// 403 if it names event types of the store itself, which `caller`, or its owner, must not see. A definition without an
/// owner's name will be the caller's.
[[nodiscard]] std::optional<Problem> system_events_refusal(const SubscriptionDefinition& definition,
                                                           const Caller& caller);

}  // namespace stele::api
