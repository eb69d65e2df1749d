#pragma once
// Events on their way in, held against the schemas of their types.

#include <cstdint>

#include "api/endpoint/event_schemas.h"
#include "api/schemas/schema_registry.h"

namespace stele::api {

/// Thread-safe: requests are validated side by side, and the order of the log does not wait for it.
class AppendValidator : public EventSchemas {
 public:
  /// Both must outlive it.
  AppendValidator(Store& store, SchemaRegistry& registry) : store_(store), registry_(registry) {}

  [[nodiscard]] Verdict check(Proposal& proposal, const EventPlaces& places, DiskWait wait) override;
  [[nodiscard]] std::optional<Problem> catch_up(Position change) override;

 private:
  Store& store_;
  SchemaRegistry& registry_;
};

}  // namespace stele::api
