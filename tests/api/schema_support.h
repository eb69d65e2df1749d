#pragma once
// Schemas and instances as texts.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "api/schemas/compiled_schema.h"
#include "api/schemas/schema_validation.h"

namespace stele::tests {

using SchemaPointer = std::shared_ptr<const api::CompiledSchema>;

/// Of a schema that must be in order.
inline SchemaPointer schema_of(std::string_view text) {
  auto compiled = api::compile_schema(text);
  if (const auto* const fault = std::get_if<api::SchemaError>(&compiled)) {
    FAIL(std::string(text.substr(0, 500)) << " at '" << fault->pointer << "': " << fault->detail);
  }
  return std::get<SchemaPointer>(std::move(compiled));
}

/// `pointer: detail`, or nothing if the schema is in order.
inline std::string fault_of(std::string_view text) {
  const auto compiled = api::compile_schema(text);
  const auto* const fault = std::get_if<api::SchemaError>(&compiled);
  return fault == nullptr ? "" : fault->pointer + ": " + fault->detail;
}

inline api::SchemaVerdict verdict_on(const api::CompiledSchema& schema, std::string_view instance,
                                     const api::ValidationLimits& limits = {}) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  const auto error = parser.parse(instance.data(), instance.size()).get(element);
  if (error != simdjson::SUCCESS) FAIL(std::string(instance.substr(0, 500)) << ": " << simdjson::error_message(error));
  return api::validate(schema, element, limits);
}

/// Fails if validation was given up.
inline bool satisfies(std::string_view instance, const api::CompiledSchema& schema) {
  const api::SchemaVerdict verdict = verdict_on(schema, instance);
  REQUIRE(verdict.outcome != api::SchemaVerdict::Outcome::LimitReached);
  return verdict.outcome == api::SchemaVerdict::Outcome::Valid;
}
inline bool satisfies(std::string_view instance, std::string_view schema) {
  return satisfies(instance, *schema_of(schema));
}

/// `pointer keyword`, one for each violation, with a semicolon between them.
inline std::string violations_of(std::string_view instance, std::string_view schema) {
  std::string text;
  for (const api::SchemaViolation& violation : verdict_on(*schema_of(schema), instance).violations) {
    if (!text.empty()) text += "; ";
    text += violation.pointer + ' ' + violation.keyword;
  }
  return text;
}

}  // namespace stele::tests
