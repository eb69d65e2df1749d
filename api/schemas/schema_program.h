#pragma once
// What a schema is compiled to: subschemas that name each other by number, and for each kind of value what it must be.
// Internal to this folder: schema_compiler.cpp makes it, schema_validation.cpp runs it.

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/schemas/compiled_schema.h"
#include "api/schemas/ecma_pattern.h"
#include "api/schemas/json_equality.h"
#include "api/schemas/json_number.h"
#include "api/schemas/name_table.h"
#include "api/schemas/string_format.h"

namespace stele::api {

using SubschemaId = std::uint32_t;

inline constexpr SubschemaId kNoSubschema = std::numeric_limits<SubschemaId>::max();
inline constexpr SubschemaId kTrueSubschema = 0;
inline constexpr SubschemaId kFalseSubschema = 1;

// Bits of Subschema::types.
inline constexpr std::uint8_t kNullType = 1;
inline constexpr std::uint8_t kBooleanType = 2;
inline constexpr std::uint8_t kIntegerType = 4;
inline constexpr std::uint8_t kNumberType = 8;
inline constexpr std::uint8_t kStringType = 16;
inline constexpr std::uint8_t kArrayType = 32;
inline constexpr std::uint8_t kObjectType = 64;
inline constexpr std::uint8_t kAnyType = 127;

struct CountBounds {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};

struct NumberRules {
  std::optional<JsonNumber> minimum;
  std::optional<JsonNumber> maximum;
  std::optional<JsonNumber> exclusive_minimum;
  std::optional<JsonNumber> exclusive_maximum;
  std::optional<Divisor> multiple_of;
};

struct StringRules {
  CountBounds length;
  std::shared_ptr<const EcmaPattern> pattern;
  FormatScanner format = nullptr;
  std::string format_name;
};

struct ArrayRules {
  CountBounds items;
  CountBounds matches{1, std::numeric_limits<std::uint64_t>::max()};  ///< of `contains`
  std::vector<SubschemaId> prefix;
  SubschemaId rest = kNoSubschema;  ///< of items behind the prefix
  SubschemaId contains = kNoSubschema;
  SubschemaId unevaluated = kNoSubschema;
  bool unique = false;
  std::string_view rest_keyword;
};

struct ObjectRules {
  /// What an object with a certain member must be besides.
  struct Dependency {
    std::uint32_t slot = 0;  ///< of the member
    std::vector<std::uint32_t> required;
    SubschemaId schema = kNoSubschema;
    std::string_view keyword;
  };

  CountBounds members;
  NameTable names;  ///< those that mean something here
  std::vector<SubschemaId>
      properties;  ///< by slot of `names`; kNoSubschema for those that are only required or depended on
  std::vector<std::uint32_t> required;  ///< slots
  std::vector<Dependency> dependencies;
  std::vector<std::pair<std::shared_ptr<const EcmaPattern>, SubschemaId>> patterns;
  SubschemaId additional = kNoSubschema;
  SubschemaId member_names = kNoSubschema;
  SubschemaId unevaluated = kNoSubschema;
  bool walks = false;  ///< false: only the number of members matters
};

/// A reference whose goal depends on which documents validation has come through.
struct DynamicReference {
  SubschemaId initial = kNoSubschema;
  std::string anchor;
};

/// What subschemas must say of the same value.
struct Applicators {
  SubschemaId reference = kNoSubschema;
  std::optional<DynamicReference> dynamic_reference;
  std::vector<SubschemaId> all_of;
  std::vector<SubschemaId> any_of;
  std::vector<SubschemaId> one_of;
  SubschemaId negated = kNoSubschema;
  SubschemaId condition = kNoSubschema;
  SubschemaId then = kNoSubschema;
  SubschemaId otherwise = kNoSubschema;
};

struct Subschema {
  bool never = false;  ///< the schema `false`
  std::uint8_t types = kAnyType;
  std::uint32_t resource = 0;  ///< which of the documents that the text consists of
  std::unique_ptr<const NumberRules> numbers;
  std::unique_ptr<const StringRules> strings;
  std::unique_ptr<const ArrayRules> arrays;
  std::unique_ptr<const ObjectRules> objects;
  std::unique_ptr<const Applicators> applicators;
  std::unique_ptr<const JsonValueSet> values;    ///< of `const` or `enum`
  std::unique_ptr<const JsonValueSet> constant;  ///< of `const` beside an `enum`
};

struct SchemaProgram {
  SchemaDraft draft = SchemaDraft::Draft07;
  std::vector<std::string> ignored_keywords;
  simdjson::dom::document document;  ///< values borrow from it
  std::vector<Subschema> subschemas;
  SubschemaId root = kTrueSubschema;
  std::size_t text_bytes = 0;
  std::size_t pattern_bytes = 0;  ///< EcmaPattern::memory_max() of all patterns
  /// Where a DynamicReference may lead: by document and anchor. Empty if there is none in the schema.
  std::map<std::pair<std::uint32_t, std::string>, SubschemaId> dynamic_anchors;
};

}  // namespace stele::api
