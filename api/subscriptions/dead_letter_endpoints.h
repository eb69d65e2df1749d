#pragma once
// What a subscription could not deliver: showing it, trying it again, forgetting it.

#include <memory>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/subscriptions/subscription_room.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class DeadLetterEndpoints {
 public:
  DeadLetterEndpoints(SubscriptionRoom& room, const Store& store, const ServiceOptions& options)
      : room_(room),
        store_(store),
        clock_(options.clock != nullptr ? *options.clock : system_clock()),
        notes_(options.notes) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void list(Call& call);
  void redrive(Call& call);
  void drop(Call& call);

  SubscriptionRoom& room_;
  const Store& store_;
  const Clock& clock_;
  const EventNotes* const notes_;
};

}  // namespace stele::api
