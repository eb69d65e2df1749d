#pragma once
// What became of events: the newest attempts of a subscription, and where one event stands with each of them.

#include <memory>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/subscriptions/subscription_room.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class DeliveryEndpoints {
 public:
  DeliveryEndpoints(SubscriptionRoom& room, const Store& store) : room_(room), store_(store) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void of_subscription(Call& call);
  void of_event(Call& call);

  SubscriptionRoom& room_;
  const Store& store_;
};

}  // namespace stele::api
