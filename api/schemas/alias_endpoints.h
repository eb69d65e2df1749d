#pragma once
// Other names of event types: set, shown, listed and removed.

#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/schemas/schema_registrar.h"
#include "api/schemas/schema_registry.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class AliasEndpoints {
 public:
  AliasEndpoints(SchemaRegistry& registry, SchemaRegistrar& registrar) : registry_(registry), registrar_(registrar) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void list(Call& call);
  void show(Call& call);
  void set(Call& call);
  void remove(Call& call);

  SchemaRegistry& registry_;
  SchemaRegistrar& registrar_;
};

}  // namespace stele::api
