#pragma once
// Reasons why something may satisfy one schema and not another. Internal to schema_change.cpp and what it is made of,
// but for SchemaDifference.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stele::api {

struct SchemaDifference {
  std::string pointer;    ///< of the subschema, RFC 6901: in both where both have it
  std::string_view rule;  ///< `type-narrowed`, `property-removed-from-closed-model` …; static storage
  std::string detail;     ///< a sentence
};

inline constexpr std::size_t kSchemaDifferencesMax = 20;

using SchemaDifferences = std::vector<SchemaDifference>;

/// Adds a difference if they are asked for (`to` is not null); false, so that it can be returned.
bool differ(SchemaDifferences* to, const std::string& pointer, std::string_view rule, std::string detail);

[[nodiscard]] std::string pointer_below(std::string pointer, std::string_view token);
[[nodiscard]] std::string pointer_below(std::string pointer, std::string_view keyword, std::string_view token);

}  // namespace stele::api
