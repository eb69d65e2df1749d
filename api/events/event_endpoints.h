#pragma once
// What there is of events, of aggregates, and of the log as a whole.

#include <memory>
#include <vector>

#include "api/endpoint/append_listener.h"
#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/endpoint/event_proofs.h"
#include "api/endpoint/event_schemas.h"
#include "api/endpoint/position_waiters.h"
#include "api/events/appender.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class EventEndpoints {
 public:
  /// `proofs`: what receipts may be asked to prove; null = nothing. All must outlive it.
  EventEndpoints(Store& store, Scheduler& scheduler, const ServiceOptions& options, EventSchemas& schemas,
                 AppendListener on_append, EventProofs* proofs);

  [[nodiscard]] std::vector<Endpoint> endpoints();
  /// Requests that wait for a position are answered. Idempotent.
  void begin_shutdown();

 private:
  void one_event(Call& call);
  void list_of_events(const std::shared_ptr<Call>& call);
  void list_of_aggregates(const std::shared_ptr<Call>& call);

  Store& store_;
  Scheduler& scheduler_;
  const ServiceOptions& options_;
  Appender appender_;
  std::shared_ptr<PositionWaiters> waiters_;
};

}  // namespace stele::api
