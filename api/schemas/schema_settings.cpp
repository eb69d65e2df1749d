#include "api/schemas/schema_settings.h"

#include <array>

namespace stele::api {

namespace {

constexpr std::array<std::string_view, 7> kCompatibilityNames{
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"};

}  // namespace

std::string_view name_of(SchemaCompatibility compatibility) {
  return kCompatibilityNames[static_cast<std::size_t>(compatibility)];
}

std::string_view name_of(SchemaPolicy policy) { return policy == SchemaPolicy::Lenient ? "lenient" : "strict"; }

std::optional<SchemaCompatibility> schema_compatibility_of(std::string_view name) {
  for (std::size_t i = 0; i < kCompatibilityNames.size(); ++i) {
    if (kCompatibilityNames[i] == name) return static_cast<SchemaCompatibility>(i);
  }
  return std::nullopt;
}

std::optional<SchemaPolicy> schema_policy_of(std::string_view name) {
  if (name == "lenient") return SchemaPolicy::Lenient;
  if (name == "strict") return SchemaPolicy::Strict;
  return std::nullopt;
}

}  // namespace stele::api
