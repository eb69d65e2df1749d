#include "api/schemas/schema_demands.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "api/schemas/compiled_schema.h"
#include "api/schemas/json_equality.h"
#include "api/schemas/schema_program.h"

namespace stele::api {

using simdjson::dom::element;

namespace {

using DemandKind = SchemaDemand::Kind;

constexpr std::size_t kConditionDepthMax = 300;

bool add_demands_from(SchemaPart part, SchemaDemands& to, std::size_t depth, WorkBudget& work) {
  if (depth > kSchemaDepthMax || to.size() > kSubschemasMax || !work.spend(1 + part.size())) return false;
  if (!part.schema.is_object()) {
    to.push_back({DemandKind::Plain, part});
    return true;
  }
  if (const auto reference = part.member("$ref")) {
    const auto target = part.resolve(*reference);
    if (!target) {
      to.push_back({DemandKind::Unknown, part});
    } else if (!add_demands_from(*target, to, depth + 1, work)) {
      return false;
    }
    if (!part.document->is_2020()) return true;
  }
  to.push_back({DemandKind::Plain, part});
  if (const auto all = part.member("allOf"); all && all->is_array()) {
    for (const element each : array_in(*all)) {
      if (!add_demands_from(part.at(each), to, depth + 1, work)) return false;
    }
  }
  if (part.member("anyOf")) to.push_back({DemandKind::AnyOf, part});
  if (part.member("oneOf")) to.push_back({DemandKind::OneOf, part});
  if (const auto negated = part.member("not")) to.push_back({DemandKind::Not, part.at(*negated)});
  if (part.member("if")) to.push_back({DemandKind::If, part});
  if (part.document->is_2020()) {
    for (const char* const name : {"unevaluatedItems", "unevaluatedProperties"}) {
      if (part.member(name)) to.push_back({DemandKind::Unevaluated, part});
    }
    if (part.member("$dynamicRef")) to.push_back({DemandKind::Unknown, part});
  }
  return true;
}

void add_names(const SchemaDemands& has, bool is_certain, NamesSaid& said, std::set<SchemaPart::Id>& seen,
               std::size_t depth, WorkBudget& work) {
  const auto add_conditional = [&](SchemaPart part) {
    if (part.is_true() || part.is_false() || !seen.insert(part.id()).second) return;
    SchemaDemands demands;
    if (depth < kConditionDepthMax && add_demands(part, demands, work)) {
      add_names(demands, false, said, seen, depth + 1, work);
    } else {
      said.others_too = true;
    }
  };
  for (const SchemaDemand& each : has) {
    const SchemaPart part = each.part;
    switch (each.kind) {
      case DemandKind::Plain: {
        const ObjectMembers members = part.members();
        for (const auto& [name, schema] : members.declared) said.declared.insert(name);
        if (is_certain) said.required.insert(members.required.begin(), members.required.end());
        if (!members.is_open() && !members.is_closed()) said.others_too = true;
        for (const std::string_view keyword : {"dependencies", "dependentSchemas"}) {
          const auto dependent = part.dependencies(keyword);
          if (!dependent) continue;
          for (const auto& [name, schema] : object_in(*dependent)) add_conditional(part.at(schema));
        }
        break;
      }
      case DemandKind::AnyOf:
      case DemandKind::OneOf:
        for (const SchemaPart branch : each.branches()) add_conditional(branch);
        break;
      case DemandKind::Not:
        add_conditional(part);
        break;
      case DemandKind::If:
        for (const char* const keyword : {"then", "else"}) {
          if (const auto branch = part.member(keyword)) add_conditional(part.at(*branch));
        }
        break;
      case DemandKind::Unevaluated:
      case DemandKind::Unknown:
        said.others_too = true;
        break;
    }
  }
}

/// By what a choice is told from others.
struct Discriminators {
  std::uint8_t types = kAnyType;
  std::map<std::string_view, std::vector<element>> values;  ///< of members that must be there
};

std::optional<Discriminators> discriminators_of(SchemaPart choice, WorkBudget& work) {
  SchemaDemands demands;
  if (!add_demands(choice, demands, work)) return std::nullopt;
  Discriminators found;
  std::set<std::string_view> required;
  for (const SchemaDemand& each : demands) {
    if (each.kind != DemandKind::Plain) continue;
    if (each.part.is_false()) found.types = 0;
    found.types &= each.part.types();
    ObjectMembers members = each.part.members();
    required.merge(members.required);
    for (const auto& [name, part] : members.declared) {
      if (const auto values = part.values()) found.values.emplace(name, *values);
    }
  }
  std::erase_if(found.values, [&](const auto& each) { return !required.contains(each.first); });
  return found;
}

bool are_apart(const Discriminators& a, const Discriminators& b, WorkBudget& work) {
  if (!work.spend(1 + a.values.size())) return false;
  if ((a.types & b.types) == 0) return true;
  if ((a.types & b.types) != kObjectType) return false;
  return std::any_of(a.values.begin(), a.values.end(), [&](const auto& mine) {
    const auto other = b.values.find(mine.first);
    if (other == b.values.end()) return false;
    const bool no_same = std::none_of(mine.second.begin(), mine.second.end(), [&](element value) {
      return std::any_of(other->second.begin(), other->second.end(),
                         [&](element each) { return surely_same(value, each, work); });
    });
    return no_same && !work.exhausted();
  });
}

}  // namespace

bool add_demands(SchemaPart part, SchemaDemands& to, WorkBudget& work) { return add_demands_from(part, to, 0, work); }

NamesSaid names_said(SchemaPart from, const SchemaDemands& has, const NamesSaid* outer, WorkBudget& work) {
  NamesSaid said;
  if (outer != nullptr) said = *outer;
  said.place = from.id();
  std::set<SchemaPart::Id> seen;
  add_names(has, true, said, seen, 0, work);
  return said;
}

bool exclude_each_other(const std::vector<SchemaPart>& choices, WorkBudget& work) {
  if (choices.size() < 2) return true;
  std::vector<Discriminators> all;
  for (const SchemaPart& choice : choices) {
    auto found = discriminators_of(choice, work);
    if (!found) return false;
    for (const Discriminators& other : all) {
      if (!are_apart(*found, other, work)) return false;
    }
    all.push_back(std::move(*found));
  }
  return true;
}

bool surely_same(element a, element b, WorkBudget& work) {
  return same_json(JsonInstance(a), JsonInstance(b), work) && !work.exhausted();
}

}  // namespace stele::api
