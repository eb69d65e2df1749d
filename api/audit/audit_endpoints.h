#pragma once
// The endpoint that searches the audit trail.

#include <vector>

#include "api/endpoint/endpoint.h"
#include "api/endpoint/options.h"
#include "engine/store/store.h"

namespace stele::api {

class AuditEndpoints {
 public:
  /// All of them must outlive it.
  AuditEndpoints(const Store& store, Scheduler& scheduler, const ServiceOptions& options)
      : store_(store), scheduler_(scheduler), options_(options) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void search(const std::shared_ptr<Call>& call);

  const Store& store_;
  Scheduler& scheduler_;
  const ServiceOptions& options_;
};

}  // namespace stele::api
