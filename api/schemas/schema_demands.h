#pragma once
// What a schema asks for, taken apart: all of it must hold. Internal to schema_change.cpp and what it is made of.

#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "api/schemas/schema_part.h"
#include "api/schemas/work_budget.h"

namespace stele::api {

struct SchemaDemand {
  enum class Kind : std::uint8_t { Plain, AnyOf, OneOf, Not, If, Unevaluated, Unknown };
  Kind kind;
  SchemaPart part;  ///< of `not` what must not hold, else the schema that has the keyword

  /// The choices of AnyOf and OneOf.
  [[nodiscard]] std::vector<SchemaPart> branches() const {
    return part.branches(kind == Kind::AnyOf ? "anyOf" : "oneOf");
  }
};

using SchemaDemands = std::vector<SchemaDemand>;

/// Everything that the schema asks for, that of the schemas it refers to as well. False if that does not end, or there
/// is no work left.
[[nodiscard]] bool add_demands(SchemaPart part, SchemaDemands& to, WorkBudget& work);

/// What everything that holds at a place says of the names of members there. The lenient policy lets properties come
/// and go that nothing else is said of.
struct NamesSaid {
  SchemaPart::Id place = nullptr;
  std::set<std::string_view> declared;  ///< also where it holds under a condition only
  std::set<std::string_view> required;  ///< whatever holds besides
  bool others_too = false;              ///< something is said of names that are not in `declared`
};

/// Of `from`, which asks for `has`. `outer`: what holds at the same place besides, null if nothing does.
[[nodiscard]] NamesSaid names_said(SchemaPart from, const SchemaDemands& has, const NamesSaid* outer, WorkBudget& work);

/// Whether nothing can be valid by two of the choices: they differ in type, or in a member that must be there and has
/// listed values. False also if that is not known.
[[nodiscard]] bool exclude_each_other(const std::vector<SchemaPart>& choices, WorkBudget& work);

/// False also if the budget is exhausted.
[[nodiscard]] bool surely_same(simdjson::dom::element a, simdjson::dom::element b, WorkBudget& work);

}  // namespace stele::api
