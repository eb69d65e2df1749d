#pragma once
// Schemas of event types: registered, shown, activated and withdrawn, and what their versions must be to each other.

#include <memory>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/endpoint/subject_report.h"
#include "api/schemas/schema_candidates.h"
#include "api/schemas/schema_check.h"
#include "api/schemas/schema_registrar.h"
#include "api/schemas/schema_registry.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class SchemaEndpoints {
 public:
  SchemaEndpoints(Store& store, SchemaRegistry& registry, const SchemaCandidates& candidates,
                  SchemaRegistrar& registrar)
      : store_(store), registry_(registry), candidates_(candidates), registrar_(registrar), checks_(store) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();
  [[nodiscard]] SubjectReport report() const;

 private:
  void list(Call& call);
  void show(Call& call);
  void show_version(Call& call);
  void show_settings(Call& call);
  void register_schema(Call& call);
  void check(Call& call);
  void show_candidate(Call& call);
  void cancel(Call& call);
  void activate(Call& call);
  void withdraw(Call& call);
  void configure(Call& call);

  const Store& store_;
  SchemaRegistry& registry_;
  const SchemaCandidates& candidates_;
  SchemaRegistrar& registrar_;
  SchemaChecks checks_;
};

}  // namespace stele::api
