#pragma once
// Events for whoever asks for them: pulling, and what became of what was pulled.

#include <memory>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/subscriptions/pull_request.h"
#include "api/subscriptions/subscription_room.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class PullEndpoints {
 public:
  PullEndpoints(SubscriptionRoom& room, Scheduler& scheduler, const ServiceOptions& options)
      : room_(room), scheduler_(scheduler), options_(options) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void pull(const std::shared_ptr<Call>& call);
  void answer(Call& call, LeaseRequest::Kind kind);

  SubscriptionRoom& room_;
  Scheduler& scheduler_;
  const ServiceOptions& options_;
};

}  // namespace stele::api
