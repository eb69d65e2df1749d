#include "api/subscriptions/subscription_access.h"

#include <algorithm>
#include <string>
#include <utility>

#include "api/endpoint/call.h"

namespace stele::api {

namespace {

bool is_owner(const Caller& caller, const SubscriptionOwner& owner) {
  if (caller.principal() == nullptr) return true;  // anyone is everyone
  if (caller.name() != owner.name || caller.principal()->has_key != owner.has_key) return false;
  if (!caller.is_limited()) return true;
  return !owner.aggregate_types.empty() &&
         std::all_of(owner.aggregate_types.begin(), owner.aggregate_types.end(),
                     [&](const std::string& type) { return caller.may_use_type(type); });
}

std::variant<SubscriptionStatus, Problem> found_if(bool (*may)(const Caller&, const SubscriptionOwner&),
                                                   const SubscriptionRoom& room, const Caller& caller,
                                                   std::string_view id) {
  auto status = room.status(id);
  if (status && may(caller, status->definition.owner)) return *std::move(status);
  return Problem("subscription-not-found", "There is no such subscription.");
}

}  // namespace

bool may_look_at(const Caller& caller, const SubscriptionOwner& owner) {
  return is_owner(caller, owner) || (caller.may(Permission::Audit) && !caller.is_limited());
}

bool may_change(const Caller& caller, const SubscriptionOwner& owner) {
  return is_owner(caller, owner) || (caller.may(Permission::Administer) && !caller.is_limited());
}

std::variant<SubscriptionStatus, Problem> find_to_look_at(const SubscriptionRoom& room, const Caller& caller,
                                                          std::string_view id) {
  return found_if(&may_look_at, room, caller, id);
}

std::variant<SubscriptionStatus, Problem> find_to_change(const SubscriptionRoom& room, const Caller& caller,
                                                         std::string_view id) {
  return found_if(&may_change, room, caller, id);
}

std::optional<Problem> system_events_refusal(const SubscriptionDefinition& definition, const Caller& caller) {
  const auto& types = definition.event_types;
  const auto own = std::find_if(types.begin(), types.end(), [](const auto& type) { return type.starts_with('$'); });
  if (own == types.end()) return std::nullopt;
  const FieldError where{
      "pointer", "/eventTypes/" + std::to_string(own - types.begin()), "Needs the role auditor or admin.", {}};
  if (caller.is_limited()) {
    return Problem("limit-forbids", "A key that is limited to aggregate types sees no events of the store itself.")
        .error(where);
  }
  if (!caller.may(Permission::Audit)) return insufficient_role(caller, "events of the store itself").error(where);
  const SubscriptionOwner& owner = definition.owner;
  if (owner.name.empty() || (grants(owner.role, Permission::Audit) && owner.aggregate_types.empty())) {
    return std::nullopt;
  }
  return Problem("insufficient-role", "The subscription's owner must not see events of the store itself.").error(where);
}

}  // namespace stele::api
