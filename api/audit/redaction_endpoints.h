#pragma once
// Redaction of an event or of an aggregate, and how far it has come.

#include <memory>
#include <vector>

#include "api/audit/redaction_room.h"
#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class RedactionEndpoints {
 public:
  RedactionEndpoints(RedactionRoom& room, Store& store) : room_(room), store_(store) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void redact_event(Call& call);
  void redact_aggregate(Call& call);
  void redact(Call& call, RedactionOrder order, bool dry_run);
  void show(Call& call);

  RedactionRoom& room_;
  Store& store_;
};

}  // namespace stele::api
