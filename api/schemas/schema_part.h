#pragma once
// Subschemas as their text has them, read to be compared with others: what each says by itself. Internal to
// schema_change.cpp and what it is made of.

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/schemas/json_number.h"

namespace stele::api {

/// A text with a schema that compile_schema() takes. Parts of it borrow from it.
class SchemaDocument {
 public:
  explicit SchemaDocument(std::string_view text);
  SchemaDocument(const SchemaDocument&) = delete;
  SchemaDocument& operator=(const SchemaDocument&) = delete;

  [[nodiscard]] bool readable() const { return readable_; }
  /// Of one that is readable.
  [[nodiscard]] simdjson::dom::element root() const { return root_; }
  [[nodiscard]] bool is_2020() const { return is_2020_; }
  /// Some subschema has a URI of its own, which references in it are relative to.
  [[nodiscard]] bool has_id_below_root() const { return has_id_below_root_; }

 private:
  std::string text_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
  bool readable_ = false;
  bool is_2020_ = false;
  bool has_id_below_root_ = false;
};

struct ObjectMembers;
struct ArrayItems;

/// A subschema with the document that its references lead into. A value type.
struct SchemaPart {
  simdjson::dom::element schema;
  const SchemaDocument* document = nullptr;

  /// Tells subschemas with members apart: where the name of the first one lies in memory. Null for those without.
  using Id = const char*;
  [[nodiscard]] Id id() const;
  [[nodiscard]] std::uint64_t size() const;  ///< keywords
  /// Whether it takes everything, or nothing.
  [[nodiscard]] bool is_true() const;
  [[nodiscard]] bool is_false() const;

  [[nodiscard]] std::optional<simdjson::dom::element> member(std::string_view name) const;
  /// Of a keyword that says nothing in draft-07.
  [[nodiscard]] std::optional<simdjson::dom::element> member_of_2020(std::string_view keyword) const;
  /// Another one in the same document.
  [[nodiscard]] SchemaPart at(simdjson::dom::element other) const { return {other, document}; }
  /// Where a reference in it leads; none if it is no JSON pointer from the root.
  [[nodiscard]] std::optional<SchemaPart> resolve(simdjson::dom::element reference) const;

  /// Bits of schema_program.h that `type` allows.
  [[nodiscard]] std::uint8_t declared_types() const;
  /// The same, and `enum` and `const`: kNumberType without kIntegerType stands for numbers that are not whole.
  [[nodiscard]] std::uint8_t types() const;
  /// Of `const` or `enum`; none if the keyword is not there.
  [[nodiscard]] std::optional<std::vector<simdjson::dom::element>> values_of(std::string_view keyword) const;
  /// What is allowed at most by both; none if any value is.
  [[nodiscard]] std::optional<std::vector<simdjson::dom::element>> values() const;
  [[nodiscard]] std::optional<JsonNumber> number(std::string_view keyword) const;
  [[nodiscard]] ObjectMembers members() const;
  [[nodiscard]] ArrayItems items() const;
  /// The subschemas in an array, such as that of `anyOf`.
  [[nodiscard]] std::vector<SchemaPart> branches(std::string_view keyword) const;
  /// `dependencies`, `dependentRequired` or `dependentSchemas`, if it is an object that means something.
  [[nodiscard]] std::optional<simdjson::dom::element> dependencies(std::string_view keyword) const;
};

/// What an object schema says of members by their names.
struct ObjectMembers {
  std::map<std::string_view, SchemaPart> declared;
  std::vector<std::pair<std::string_view, SchemaPart>> patterns;
  std::optional<SchemaPart> additional;
  std::set<std::string_view> required;

  [[nodiscard]] bool is_open() const { return patterns.empty() && (!additional || additional->is_true()); }
  [[nodiscard]] bool is_closed() const { return patterns.empty() && additional && additional->is_false(); }
};

/// What an array schema says of elements by their places, with the keywords that say so in its draft.
struct ArrayItems {
  std::vector<SchemaPart> first;
  std::optional<SchemaPart> rest;
  std::string_view first_keyword = "items";
  std::string_view rest_keyword = "items";
};

[[nodiscard]] std::optional<simdjson::dom::element> find_member(simdjson::dom::element object, std::string_view name);
/// Texts in an array; none of anything else.
[[nodiscard]] std::set<std::string_view> texts_in(std::optional<simdjson::dom::element> list);
/// Whether a reference stands anywhere in it: it leads elsewhere, where two documents may differ.
[[nodiscard]] bool has_reference(simdjson::dom::element schema);

}  // namespace stele::api
