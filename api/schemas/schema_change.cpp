#include "api/schemas/schema_change.h"

#include <simdjson.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "api/schemas/ecma_pattern.h"
#include "api/schemas/json_equality.h"
#include "api/schemas/schema_bounds.h"
#include "api/schemas/schema_demands.h"
#include "api/schemas/schema_part.h"
#include "api/schemas/schema_program.h"

namespace stele::api {

namespace {

using simdjson::dom::element;

constexpr std::size_t kComparisonDepthMax = 300;
constexpr std::uint64_t kComparisonCost = 100;
constexpr std::size_t kParsedBytesPerWork = 16;

class SchemaComparison {
 public:
  SchemaComparison(SchemaPolicy policy, WorkBudget& work) : policy_(policy), work_(work) {}

  SchemaDifferences run(const SchemaDocument& from, const SchemaDocument& to) {
    (void)contains({from.root(), &from}, {to.root(), &to}, "", &found_, 0);
    if (work_.exhausted() && found_.empty()) (void)differ_by_size(&found_, "");
    return std::move(found_);
  }

 private:
  using Differences = SchemaDifferences;
  using Kind = SchemaDemand::Kind;

  static bool differ_by_size(Differences* to, const std::string& pointer) {
    return differ(to, pointer, "beyond-comparison", "The schemas are too large or too deep to be compared.");
  }

  /// Whether whatever is valid under `from` is so under `to`. `pointer` is where they stand; differences are told to
  /// `tell`, if it is not null. `outer`: what holds at the same place besides `from`.
  bool contains(SchemaPart from, SchemaPart to, const std::string& pointer, Differences* tell, std::size_t depth,
                const NamesSaid* outer = nullptr) {
    if (to.is_true() || from.is_false()) return true;
    if (to.is_false()) return differ(tell, pointer, "schema-closed", "Nothing is valid here any more.");
    const std::uint64_t size = from.size() + to.size();
    if (depth > kComparisonDepthMax || !work_.spend(kComparisonCost + size)) {
      return differ_by_size(tell, pointer);
    }
    // What is being compared already holds if the rest does.
    const Comparison comparison{from.id(), to.id(), outer == nullptr ? nullptr : outer->place, concedes()};
    if (!under_way_.insert(comparison).second) return true;
    const bool result = contains_demands(from, to, pointer, tell, depth, outer);
    under_way_.erase(comparison);
    return result;
  }

  /// The same without what a policy lets pass, where a concession would turn into its opposite.
  bool contains_exactly(SchemaPart from, SchemaPart to, const std::string& pointer, std::size_t depth) {
    ++exact_;
    const bool result = contains(from, to, pointer, nullptr, depth);
    --exact_;
    return result;
  }
  [[nodiscard]] bool concedes() const { return exact_ == 0; }

  bool contains_demands(SchemaPart from, SchemaPart to, const std::string& pointer, Differences* tell,
                        std::size_t depth, const NamesSaid* outer) {
    SchemaDemands has, wants;
    if (!add_demands(from, has, work_) || !add_demands(to, wants, work_)) {
      return differ(tell, pointer, "beyond-comparison", "References go too deep to be compared.");
    }
    const NamesSaid said = names_said(from, has, outer, work_);
    bool all = true;
    for (const SchemaDemand& wanted : wants) {
      if (!meets(from, has, said, wanted, pointer, tell, depth)) all = false;
    }
    return all;
  }

  /// Whether what meets all of `has`, which is what `from` asks for, meets `wanted`.
  bool meets(SchemaPart from, const SchemaDemands& has, const NamesSaid& said, const SchemaDemand& wanted,
             const std::string& pointer, Differences* tell, std::size_t depth) {
    switch (wanted.kind) {
      case Kind::Plain:
        return meets_plain(has, said, wanted, pointer, tell, depth);
      case Kind::AnyOf:
        return meets_sum(from, has, said, wanted, "anyOf", pointer, tell, depth);
      case Kind::OneOf:
        return meets_sum(from, has, said, wanted, "oneOf", pointer, tell, depth);
      case Kind::Not:
        for (const SchemaDemand& each : has) {
          if (each.kind == Kind::Not && contains_exactly(wanted.part, each.part, pointer + "/not", depth + 1))
            return true;
        }
        return differ(tell, pointer_below(pointer, "not"), "not-extended", "More is ruled out than before.");
      case Kind::If:
        return has_same(has, wanted, {"if", "then", "else"}) ||
               differ(tell, pointer_below(pointer, "if"), "condition-changed", "The condition is not the same.");
      case Kind::Unevaluated:
        return has_same_unevaluated(has, wanted) ||
               differ(tell, pointer, "unevaluated-changed",
                      "What may be there besides follows from the whole schema, and that is not the same.");
      case Kind::Unknown:
        break;
    }
    return differ(tell, pointer, "reference-not-compared",
                  "Only references that are JSON pointers are compared, in documents without an $id below the root.");
  }

  bool meets_plain(const SchemaDemands& has, const NamesSaid& said, const SchemaDemand& wanted,
                   const std::string& pointer, Differences* tell, std::size_t depth) {
    for (const SchemaDemand& each : has) {
      if (work_.exhausted()) break;
      if (each.kind == Kind::Plain) {
        if (plain_contains(each.part, wanted.part, said, pointer, nullptr, depth)) return true;
      } else if (each.kind == Kind::AnyOf || each.kind == Kind::OneOf) {
        const auto branches = each.branches();
        if (std::all_of(branches.begin(), branches.end(), [&](const SchemaPart& branch) {
              return contains_plain_of(branch, said, wanted, pointer, depth);
            })) {
          return true;
        }
      }
    }
    if (work_.exhausted()) return differ_by_size(tell, pointer);
    if (tell == nullptr) return false;
    // Of the one that is most like it.
    std::optional<Differences> fewest;
    for (const SchemaDemand& each : has) {
      if (each.kind != Kind::Plain) continue;
      Differences own;
      (void)plain_contains(each.part, wanted.part, said, pointer, &own, depth);
      if (!fewest || own.size() < fewest->size()) fewest = std::move(own);
    }
    if (!fewest || fewest->empty()) return differ(tell, pointer, "constraint-added", "More is asked for than before.");
    for (SchemaDifference& each : *fewest) (void)differ(tell, each.pointer, each.rule, std::move(each.detail));
    return false;
  }

  /// Whether a branch alone suffices for one demand.
  bool contains_plain_of(SchemaPart branch, const NamesSaid& outer, const SchemaDemand& wanted,
                         const std::string& pointer, std::size_t depth) {
    if (depth >= kComparisonDepthMax || !work_.spend(kComparisonCost)) return false;
    SchemaDemands has;
    if (!add_demands(branch, has, work_)) return false;
    return branch.is_false() ||
           meets_plain(has, names_said(branch, has, &outer, work_), wanted, pointer, nullptr, depth + 1);
  }

  bool meets_sum(SchemaPart from, const SchemaDemands& has, const NamesSaid& said, const SchemaDemand& wanted,
                 std::string_view keyword, const std::string& pointer, Differences* tell, std::size_t depth) {
    const std::vector<SchemaPart> choices = wanted.branches();
    const std::string place = pointer_below(pointer, keyword);
    const auto is_in_one = [&](SchemaPart part) {
      return std::any_of(choices.begin(), choices.end(), [&](const SchemaPart& choice) {
        return contains(part, choice, place, nullptr, depth + 1, &said);
      });
    };
    const auto are_in_one = [&](const SchemaDemand& each) {
      if (each.kind != Kind::AnyOf && each.kind != Kind::OneOf) return false;
      const auto branches = each.branches();
      return std::all_of(branches.begin(), branches.end(), is_in_one);
    };
    if (!is_in_one(from) && std::none_of(has.begin(), has.end(), are_in_one)) {
      return differ(tell, place, "choice-removed", "Not everything that was valid is so by one of the choices.");
    }
    if (wanted.kind == Kind::AnyOf || exclude_each_other(choices, work_)) return true;
    for (const SchemaDemand& each : has) {
      if (each.kind == Kind::OneOf && are_as_exclusive(each.branches(), choices, said, place, depth)) return true;
    }
    return differ(tell, place, "choices-overlap",
                  "Something that was valid may be so by more than one of the choices.");
  }

  /// Whether each of the choices is one of the branches, or more, without leaving what only that branch takes.
  bool are_as_exclusive(const std::vector<SchemaPart>& branches, std::vector<SchemaPart> choices, const NamesSaid& said,
                        const std::string& place, std::size_t depth) {
    if (branches.size() != choices.size()) return false;
    for (const SchemaPart& branch : branches) {
      const auto same = std::find_if(choices.begin(), choices.end(), [&](const SchemaPart& choice) {
        return contains(branch, choice, place, nullptr, depth + 1, &said) &&
               contains_exactly(choice, branch, place, depth + 1);
      });
      if (same == choices.end()) return false;
      choices.erase(same);
    }
    return true;
  }

  bool has_same(const SchemaDemands& has, const SchemaDemand& wanted,
                std::initializer_list<std::string_view> keywords) {
    return std::any_of(has.begin(), has.end(), [&](const SchemaDemand& each) {
      return each.kind == wanted.kind && std::all_of(keywords.begin(), keywords.end(), [&](std::string_view keyword) {
               const auto a = each.part.member(keyword), b = wanted.part.member(keyword);
               return a.has_value() == b.has_value() && (!a || (same(*a, *b) && !has_reference(*a)));
             });
    });
  }

  /// It counts whatever the rest of its schema looks at, so the whole of it must be the same.
  bool has_same_unevaluated(const SchemaDemands& has, const SchemaDemand& wanted) {
    return std::any_of(has.begin(), has.end(), [&](const SchemaDemand& each) {
      return each.kind == Kind::Unevaluated && same(each.part.schema, wanted.part.schema) &&
             !has_reference(wanted.part.schema);
    });
  }

  bool same(element a, element b) { return surely_same(a, b, work_); }

  // What one schema says by itself.

  bool plain_contains(SchemaPart from, SchemaPart to, const NamesSaid& said, const std::string& pointer,
                      Differences* tell, std::size_t depth) {
    constexpr std::uint64_t kKeywords = 20;
    if (to.is_true() || from.is_false()) return true;
    if (to.is_false()) return differ(tell, pointer, "schema-closed", "Nothing is valid here any more.");
    if (!work_.spend(kKeywords + from.size() + to.size())) return differ_by_size(tell, pointer);
    const std::uint8_t has = from.types();
    bool all = true;
    const std::uint8_t wants = to.declared_types();
    if ((has & ~wants) != 0) {
      all = differ(tell, pointer_below(pointer, "type"), "type-narrowed",
                   "Values of a type that was valid are not any more.");
    }
    for (const std::string_view keyword : {"const", "enum"}) {
      const auto allowed = to.values_of(keyword);
      if (allowed) all = values_contain(from, to, keyword, *allowed, pointer, tell) && all;
    }
    if ((has & wants & (kIntegerType | kNumberType)) != 0) all = numbers_contain(from, to, pointer, tell) && all;
    if ((has & wants & kStringType) != 0) all = strings_contain(from, to, pointer, tell, work_) && all;
    if ((has & wants & kArrayType) != 0) all = arrays_contain(from, to, pointer, tell, depth) && all;
    if ((has & wants & kObjectType) != 0) all = objects_contain(from, to, said, pointer, tell, depth) && all;
    return all;
  }

  bool values_contain(SchemaPart from, SchemaPart to, std::string_view keyword, const std::vector<element>& allowed,
                      const std::string& pointer, Differences* tell) {
    const std::string place = pointer_below(pointer, keyword);
    const auto which = std::make_pair(to.id(), keyword);
    auto known = value_sets_.find(which);
    if (known == value_sets_.end()) known = value_sets_.emplace(which, JsonValueSet(allowed)).first;
    bool is_listed = false;
    for (const std::string_view each : {"const", "enum"}) {
      const auto has = from.values_of(each);
      is_listed = is_listed || has;
      // Of two that both hold it is enough if one does not go beyond.
      if (has && std::all_of(has->begin(), has->end(),
                             [&](element value) { return known->second.contains(JsonInstance(value), work_); })) {
        return true;
      }
      if (work_.exhausted()) return differ_by_size(tell, pointer);
    }
    if (!is_listed) return differ(tell, place, "values-listed", "Only listed values are valid now.");
    return differ(tell, place, "value-removed", "A value that was listed is not any more.");
  }

  bool arrays_contain(SchemaPart from, SchemaPart to, const std::string& pointer, Differences* tell,
                      std::size_t depth) {
    bool all = counts_contain(from, to, "minItems", "maxItems", pointer, tell);
    const auto says = [](SchemaPart part, std::string_view keyword) {
      const auto value = part.member(keyword);
      return value && value->is_bool() && value->get_bool().value_unsafe();
    };
    if (says(to, "uniqueItems") && !says(from, "uniqueItems")) {
      all = differ(tell, pointer_below(pointer, "uniqueItems"), "unique-added",
                   "An element must not come twice any more.");
    }
    const ArrayItems has = from.items(), wants = to.items();
    const SchemaPart anything{true_.root(), &true_};
    for (std::size_t i = 0; i < std::max(has.first.size(), wants.first.size()); ++i) {
      const SchemaPart before = i < has.first.size() ? has.first[i] : has.rest.value_or(anything);
      const SchemaPart after = i < wants.first.size() ? wants.first[i] : wants.rest.value_or(anything);
      const std::string place = i < wants.first.size() ? pointer_below(pointer, wants.first_keyword, std::to_string(i))
                                                       : pointer_below(pointer, wants.rest_keyword);
      all = contains(before, after, place, tell, depth + 1) && all;
    }
    if (wants.rest) {
      all = contains(has.rest.value_or(anything), *wants.rest, pointer_below(pointer, wants.rest_keyword), tell,
                     depth + 1) &&
            all;
    }
    if (const auto wanted = to.member("contains")) {
      const auto contained = from.member("contains");
      bool same_counts = true;
      bool counted = false;
      for (const std::string_view keyword : {"minContains", "maxContains"}) {
        const auto before = from.member_of_2020(keyword), after = to.member_of_2020(keyword);
        counted = counted || before || after;
        same_counts = same_counts && before.has_value() == after.has_value() && (!before || same(*before, *after));
      }
      const bool may_differ = !counted || (contained && same(*contained, *wanted) && !has_reference(*wanted));
      if (!contained || !same_counts || !may_differ ||
          !contains(from.at(*contained), to.at(*wanted), "", nullptr, depth + 1)) {
        all = differ(tell, pointer_below(pointer, "contains"), "contains-changed",
                     "Something else must be in the array now.");
      }
    }
    return all;
  }

  /// What a member of this name must be: all of them.
  std::vector<SchemaPart> parts_for(const ObjectMembers& members, std::string_view name) {
    std::vector<SchemaPart> parts;
    if (const auto declared = members.declared.find(name); declared != members.declared.end()) {
      parts.push_back(declared->second);
    }
    for (const auto& [pattern, part] : members.patterns) {
      if (is_found(pattern, name)) parts.push_back(part);
    }
    if (parts.empty() && members.additional) parts.push_back(*members.additional);
    return parts;
  }

  bool is_found(std::string_view pattern, std::string_view name) {
    auto known = patterns_.find(pattern);
    if (known == patterns_.end()) {
      auto compiled = EcmaPattern::compile(pattern);
      auto* const made = std::get_if<std::shared_ptr<const EcmaPattern>>(&compiled);
      known = patterns_.emplace(std::string(pattern), made == nullptr ? nullptr : *made).first;
    }
    return known->second == nullptr || known->second->found_in(name, work_) || work_.exhausted();
  }

  bool objects_contain(SchemaPart from, SchemaPart to, const NamesSaid& said, const std::string& pointer,
                       Differences* tell, std::size_t depth) {
    bool all = counts_contain(from, to, "minProperties", "maxProperties", pointer, tell);
    const ObjectMembers has = from.members(), wants = to.members();
    (void)work_.spend((has.declared.size() + wants.declared.size()) *
                          (1 + has.patterns.size() + wants.patterns.size()) +
                      has.patterns.size() * wants.patterns.size());
    for (const std::string_view name : wants.required) {
      if (has.required.contains(name)) continue;
      const auto declared = wants.declared.find(name);
      if (concedes() && declared != wants.declared.end() && declared->second.member("default")) continue;
      all = differ(tell, pointer_below(pointer, "required"), "property-required",
                   "The property " + quoted(name) + " must be there now, and has no default.");
    }
    std::set<std::string_view> names;
    for (const auto& [name, part] : has.declared) names.insert(name);
    for (const auto& [name, part] : wants.declared) names.insert(name);
    for (const std::string_view name : names) {
      all = member_contains(has, wants, said, name, pointer, tell, depth) && all;
    }
    all = others_contain(has, wants, pointer, tell, depth) && all;
    all = names_contain(from, to, pointer, tell, depth) && all;
    return dependencies_contain(from, to, has, said, pointer, tell, depth) && all;
  }

  static std::string quoted(std::string_view name) {
    std::string text(name.substr(0, 100));
    return '"' + text + '"';
  }

  bool member_contains(const ObjectMembers& has, const ObjectMembers& wants, const NamesSaid& said,
                       std::string_view name, const std::string& pointer, Differences* tell, std::size_t depth) {
    const bool is_new = has.is_open() && !said.declared.contains(name);
    const bool is_gone = !wants.declared.contains(name) && wants.is_closed();
    if (policy_ == SchemaPolicy::Lenient && concedes() && !said.required.contains(name)) {
      if (is_gone || (is_new && !said.others_too)) return true;
    }
    std::vector<SchemaPart> before = parts_for(has, name);
    if (before.empty()) before.push_back({true_.root(), &true_});
    const std::string place = pointer_below(pointer, "properties", name);
    bool all = true;
    for (const SchemaPart& wanted : parts_for(wants, name)) {
      if (std::any_of(before.begin(), before.end(),
                      [&](const SchemaPart& each) { return contains(each, wanted, place, nullptr, depth + 1); })) {
        continue;
      }
      all = false;
      if (tell == nullptr) return false;
      if (is_new) {
        (void)differ(
            tell, place, "property-added-to-open-model",
            "Others may have put anything under this name before. Under FULL only a model that is partially open "
            "(additionalProperties with a schema) can gain or lose properties, or the policy lenient.");
      } else if (is_gone) {
        (void)differ(tell, place, "property-removed-from-closed-model",
                     "The property may be there, and no other may. Under FULL only a model that is partially open "
                     "(additionalProperties with a schema) can gain or lose properties, or the policy lenient.");
      } else {
        (void)contains(before.front(), wanted, place, tell, depth + 1);
      }
    }
    return all;
  }

  /// Members of other names than those that are declared.
  bool others_contain(const ObjectMembers& has, const ObjectMembers& wants, const std::string& pointer,
                      Differences* tell, std::size_t depth) {
    const SchemaPart anything{true_.root(), &true_};
    const SchemaPart before = has.additional.value_or(anything), after = wants.additional.value_or(anything);
    bool all = true;
    const std::string rest = pointer_below(pointer, "additionalProperties");
    if (after.is_false() && !before.is_false()) {
      all = differ(tell, rest, "model-closed", "Other members are not valid any more.");
    } else {
      all = contains(before, after, rest, tell, depth + 1);
    }
    for (const auto& [pattern, part] : wants.patterns) {
      const std::string_view wanted = pattern;
      const auto same_pattern = std::find_if(has.patterns.begin(), has.patterns.end(),
                                             [&](const auto& each) { return each.first == wanted; });
      const std::string place = pointer_below(pointer, "patternProperties", pattern);
      if (same_pattern != has.patterns.end()) {
        all = contains(same_pattern->second, part, place, tell, depth + 1) && all;
        continue;
      }
      all = contains(before, part, place, tell, depth + 1) && all;
      for (const auto& each : has.patterns) all = contains(each.second, part, place, tell, depth + 1) && all;
    }
    for (const auto& [pattern, part] : has.patterns) {
      const std::string_view had = pattern;
      if (std::any_of(wants.patterns.begin(), wants.patterns.end(),
                      [&](const auto& each) { return each.first == had; })) {
        continue;
      }
      all = contains(part, after, pointer_below(pointer, "patternProperties", pattern), tell, depth + 1) && all;
    }
    return all;
  }

  bool names_contain(SchemaPart from, SchemaPart to, const std::string& pointer, Differences* tell, std::size_t depth) {
    const auto wanted = to.member("propertyNames");
    if (!wanted || to.at(*wanted).is_true()) return true;
    const auto has = from.member("propertyNames");
    const SchemaPart before = has ? from.at(*has) : SchemaPart{true_.root(), &true_};
    return contains(before, to.at(*wanted), pointer_below(pointer, "propertyNames"), tell, depth + 1);
  }

  bool dependencies_contain(SchemaPart from, SchemaPart to, const ObjectMembers& has, const NamesSaid& said,
                            const std::string& pointer, Differences* tell, std::size_t depth) {
    bool all = true;
    for (const std::string_view keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      const auto wanted = to.dependencies(keyword);
      if (!wanted) continue;
      const auto known = from.dependencies(keyword);
      for (const auto& [name, value] : object_in(*wanted)) {
        const auto before = known ? find_member(*known, name) : std::nullopt;
        bool met = false;
        if (value.is_array()) {
          std::set<std::string_view> there = has.required;
          if (before) there.merge(texts_in(*before));
          const auto needed = texts_in(value);
          met = std::includes(there.begin(), there.end(), needed.begin(), needed.end());
        } else {
          met =
              before && !before->is_array() && contains(from.at(*before), to.at(value), "", nullptr, depth + 1, &said);
        }
        if (!met) {
          all = differ(tell, pointer_below(pointer, keyword, name), "dependency-added",
                       "More is asked for beside this property than before.");
        }
      }
    }
    return all;
  }

  struct Comparison {
    SchemaPart::Id from;
    SchemaPart::Id to;
    SchemaPart::Id outer;
    bool concedes;
    auto operator<=>(const Comparison&) const = default;
  };

  const SchemaPolicy policy_;
  const SchemaDocument true_{"true"};
  WorkBudget& work_;
  std::size_t exact_ = 0;  ///< > 0: nothing is conceded
  std::set<Comparison> under_way_;
  std::map<std::pair<SchemaPart::Id, std::string_view>, JsonValueSet>
      value_sets_;  ///< of those that are to contain others
  std::map<std::string, std::shared_ptr<const EcmaPattern>, std::less<>> patterns_;
  Differences found_;
};

}  // namespace

SchemaDifferences breaking_differences(std::string_view from, std::string_view to, SchemaPolicy policy,
                                       WorkBudget& work) {
  (void)work.spend((from.size() + to.size()) / kParsedBytesPerWork);
  const SchemaDocument before(from), after(to);
  if (!before.readable() || !after.readable()) {
    return {{"", "beyond-comparison", "A schema cannot be read."}};
  }
  return SchemaComparison(policy, work).run(before, after);
}

}  // namespace stele::api
