#pragma once
// What there is for those who operate a server or write a client: probes, metrics, the description of the interface,
// kinds of problems.

#include <utility>
#include <vector>

#include "api/endpoint/endpoint.h"
#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "api/operations/health.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class OperationsEndpoints {
 public:
  OperationsEndpoints(const Store& store, const Scheduler& scheduler, const ServiceOptions& options,
                      SubjectReporter subjects)
      : store_(store),
        scheduler_(scheduler),
        options_(options),
        subjects_(std::move(subjects)),
        health_(store, options, subjects_) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();
  /// /readyz says no from here on. Idempotent.
  void begin_shutdown() { health_.begin_shutdown(); }

 private:
  [[nodiscard]] Response metrics() const;

  const Store& store_;
  const Scheduler& scheduler_;
  const ServiceOptions& options_;
  const SubjectReporter subjects_;
  Health health_;
};

}  // namespace stele::api
