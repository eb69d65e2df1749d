#pragma once
// A definition as JSON: in the log, and in answers. Both show the same, since nothing of a definition is secret.

#include <simdjson.h>

#include <optional>

#include "api/json/json_writer.h"
#include "api/subscriptions/subscription_definition.h"

namespace stele::api {

/// Writes its members into the object that is open: `subscriptionId`, `owner`, `created`, `delivery` …
void write_definition(JsonWriter& json, const SubscriptionDefinition& definition);

/// What write_definition() has written; none if it can be no definition.
[[nodiscard]] std::optional<SubscriptionDefinition> read_definition(const simdjson::dom::object& object);

}  // namespace stele::api
