#pragma once
// The keywords of JSON Schema that mean something here, in which draft, and where they hold subschemas.

#include <cstdint>
#include <string_view>

#include "api/schemas/compiled_schema.h"

namespace stele::api {

enum class SchemaKeyword : std::uint8_t {
  Unknown,
  Annotation,  ///< says nothing about what is valid
  Id,
  Schema,
  Ref,
  Anchor,
  DynamicRef,
  DynamicAnchor,
  Type,
  Enum,
  Const,
  MultipleOf,
  Maximum,
  ExclusiveMaximum,
  Minimum,
  ExclusiveMinimum,
  MaxLength,
  MinLength,
  Pattern,
  Format,
  MaxItems,
  MinItems,
  UniqueItems,
  Items,
  PrefixItems,
  AdditionalItems,
  Contains,
  MaxContains,
  MinContains,
  UnevaluatedItems,
  MaxProperties,
  MinProperties,
  Required,
  Properties,
  PatternProperties,
  AdditionalProperties,
  PropertyNames,
  Dependencies,
  DependentRequired,
  DependentSchemas,
  UnevaluatedProperties,
  AllOf,
  AnyOf,
  OneOf,
  Not,
  If,
  Then,
  Else,
};

/// Where a keyword holds subschemas.
enum class SchemaHolds : std::uint8_t {
  None,
  One,           ///< it is one
  Several,       ///< an array of them
  Named,         ///< an object of them
  OneOrArray,    ///< `items` of draft-07
  NamedOrNames,  ///< an object of subschemas and of arrays of names: `dependencies`
};

struct SchemaKeywordInfo {
  SchemaKeyword keyword = SchemaKeyword::Unknown;
  SchemaHolds holds = SchemaHolds::None;
};

/// SchemaKeyword::Unknown if the draft does not have it.
[[nodiscard]] SchemaKeywordInfo find_schema_keyword(std::string_view name, SchemaDraft draft);

/// What a value of `type` stands for, as bits of schema_program.h; 0 for what is no type.
[[nodiscard]] std::uint8_t schema_type_bits(std::string_view type);

}  // namespace stele::api
