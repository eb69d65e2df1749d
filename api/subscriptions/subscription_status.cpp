#include "api/subscriptions/subscription_status.h"

namespace stele::api {

std::string_view name_of(DeliveryFate fate) {
  switch (fate) {
    case DeliveryFate::NotMatching:
      return "not-matching";
    case DeliveryFate::BeforeStart:
      return "before-start";
    case DeliveryFate::Waiting:
      return "waiting";
    case DeliveryFate::InFlight:
      return "in-flight";
    case DeliveryFate::Retrying:
      return "retrying";
    case DeliveryFate::HeldBack:
      return "held-back";
    case DeliveryFate::Parked:
      return "parked";
    case DeliveryFate::DeadLetter:
      return "dead-letter";
    case DeliveryFate::Delivered:
      return "delivered";
  }
  return {};
}

}  // namespace stele::api
