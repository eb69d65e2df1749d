#pragma once
// How long bodies of actions are kept: shown and set.

#include <vector>

#include "api/audit/redaction_room.h"
#include "api/audit/retention_policy.h"
#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class RetentionEndpoints {
 public:
  RetentionEndpoints(RetentionPolicy& policy, RedactionRoom& redactions) : policy_(policy), redactions_(redactions) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void show(Call& call);
  void set(Call& call);
  [[nodiscard]] Response answer(const RetentionPolicy::Setting& setting) const;

  RetentionPolicy& policy_;
  RedactionRoom& redactions_;
};

}  // namespace stele::api
