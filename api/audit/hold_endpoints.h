#pragma once
// Legal holds: placed, shown and released.

#include <vector>

#include "api/audit/legal_holds.h"
#include "api/audit/redaction_room.h"
#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class HoldEndpoints {
 public:
  HoldEndpoints(LegalHolds& holds, RedactionRoom& redactions) : holds_(holds), redactions_(redactions) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void list(Call& call);
  void show(Call& call);
  void place(Call& call);
  void release(Call& call);

  LegalHolds& holds_;
  RedactionRoom& redactions_;
};

}  // namespace stele::api
