#include "api/schemas/schema_change.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "api/json/json_diagnosis.h"
#include "api/schemas/compiled_schema.h"
#include "api/schemas/ecma_pattern.h"
#include "api/schemas/json_equality.h"
#include "api/schemas/json_number.h"
#include "api/schemas/schema_program.h"

namespace stele::api {

namespace {

using simdjson::dom::element;

constexpr std::size_t kComparisonDepthMax = 300;
constexpr std::uint64_t kComparisonCost = 100;
constexpr std::size_t kParsedBytesPerWork = 16;

std::optional<element> member_of(element schema, std::string_view name) {
  element value;
  if (!schema.is_object() || schema.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

/// Whether some subschema has a URI of its own, which references in it are relative to.
bool has_id_within(element value, bool is_root) {
  if (value.is_array()) {
    for (const element each : array_in(value)) {
      if (has_id_within(each, false)) return true;
    }
  }
  if (!value.is_object()) return false;
  for (const auto& [name, member] : object_in(value)) {
    std::string_view id;
    if (name == "$id" && !is_root && member.get(id) == simdjson::SUCCESS && !id.starts_with('#')) return true;
    if (has_id_within(member, false)) return true;
  }
  return false;
}

/// A document with a schema.
struct SchemaDocument {
  explicit SchemaDocument(std::string_view text) : text_(text) {
    const auto error = parser_.parse(text_).get(root);
    readable = error == simdjson::SUCCESS;
    std::string_view uri;
    if (!readable) return;
    has_id_below = has_id_within(root, true);
    if (const auto named = member_of(root, "$schema")) {
      is_2020 = named->get(uri) == simdjson::SUCCESS && uri.find("2020-12") != std::string_view::npos;
    }
  }

  element root;
  bool readable = false;
  bool is_2020 = false;
  bool has_id_below = false;  ///< so that a pointer in it need not be one from the root

 private:
  std::string text_;
  simdjson::dom::parser parser_;
};

/// A subschema with the document that its references lead into.
struct Part {
  element schema;
  const SchemaDocument* document;
};

/// One of the things that a schema asks for; all of them must hold.
struct Demand {
  enum class Kind : std::uint8_t { Plain, AnyOf, OneOf, Not, If, Unevaluated, Unknown };
  Kind kind;
  Part part;  ///< of `not` what must not hold, else the schema that has the keyword
};

bool is_true(element schema) {
  if (schema.is_bool()) return schema.get_bool().value_unsafe();
  return schema.is_object() && object_in(schema).size() == 0;
}
bool is_false(element schema) { return schema.is_bool() && !schema.get_bool().value_unsafe(); }

std::uint8_t type_named(std::string_view name) {
  if (name == "null") return kNullType;
  if (name == "boolean") return kBooleanType;
  if (name == "integer") return kIntegerType;
  if (name == "number") return kIntegerType | kNumberType;
  if (name == "string") return kStringType;
  if (name == "array") return kArrayType;
  return name == "object" ? kObjectType : 0;
}

std::uint8_t type_of_value(element value) {
  switch (value.type()) {
    case simdjson::dom::element_type::NULL_VALUE:
      return kNullType;
    case simdjson::dom::element_type::BOOL:
      return kBooleanType;
    case simdjson::dom::element_type::STRING:
      return kStringType;
    case simdjson::dom::element_type::ARRAY:
      return kArrayType;
    case simdjson::dom::element_type::OBJECT:
      return kObjectType;
    default:
      return JsonNumber::of(value)->whole() ? kIntegerType : kNumberType;
  }
}

/// Values of `enum` or `const`; none if any are allowed.
std::optional<std::vector<element>> values_of(element schema) {
  if (const auto constant = member_of(schema, "const")) return std::vector{*constant};
  const auto list = member_of(schema, "enum");
  if (!list || !list->is_array()) return std::nullopt;
  std::vector<element> values;
  for (const element value : array_in(*list)) values.push_back(value);
  return values;
}

/// What types a value may be of: `number` without `integer` stands for those that are not whole.
std::uint8_t types_of(element schema) {
  std::uint8_t types = kAnyType;
  if (const auto named = member_of(schema, "type")) {
    types = 0;
    if (named->is_string()) types = type_named(named->get_string().value_unsafe());
    if (named->is_array()) {
      for (const element each : array_in(*named)) types |= type_named(each.get_string().value_unsafe());
    }
  }
  if (const auto values = values_of(schema)) {
    std::uint8_t of_values = 0;
    for (const element value : *values) of_values |= type_of_value(value);
    types &= of_values;
  }
  return types;
}

std::set<std::string_view> names_in(std::optional<element> list) {
  std::set<std::string_view> names;
  if (!list || !list->is_array()) return names;
  for (const element name : array_in(*list)) {
    if (name.is_string()) names.insert(name.get_string().value_unsafe());
  }
  return names;
}

class SchemaComparison {
 public:
  SchemaComparison(SchemaPolicy policy, WorkBudget& work) : policy_(policy), work_(work) {}

  std::vector<SchemaDifference> run(const SchemaDocument& from, const SchemaDocument& to) {
    (void)contains({from.root, &from}, {to.root, &to}, "", &found_, 0);
    if (work_.exhausted() && found_.empty()) (void)differ_by_size(&found_, "");
    return std::move(found_);
  }

 private:
  using Differences = std::vector<SchemaDifference>;
  using Kind = Demand::Kind;

  /// Adds a difference if they are asked for; false, so that it can be returned.
  static bool differ(Differences* to, const std::string& pointer, std::string_view rule, std::string detail) {
    if (to != nullptr && to->size() < kSchemaDifferencesMax) to->push_back({pointer, rule, std::move(detail)});
    return false;
  }
  static bool differ_by_size(Differences* to, const std::string& pointer) {
    return differ(to, pointer, "beyond-comparison", "The schemas are too large or too deep to be compared.");
  }
  static std::string below(std::string pointer, std::string_view token) {
    append_pointer_token(pointer, token);
    return pointer;
  }
  static std::string below(std::string pointer, std::string_view keyword, std::string_view token) {
    append_pointer_token(pointer, keyword);
    append_pointer_token(pointer, token);
    return pointer;
  }

  static std::optional<Part> resolve(Part part, element reference) {
    std::string_view text;
    if (part.document->has_id_below) return std::nullopt;
    if (reference.get(text) != simdjson::SUCCESS || !text.starts_with('#')) return std::nullopt;
    text.remove_prefix(1);
    if (!text.empty() && text.front() != '/') return std::nullopt;
    if (text.find('%') != std::string_view::npos) return std::nullopt;
    element target;
    if (text.empty()) {
      target = part.document->root;
    } else if (part.document->root.at_pointer(text).get(target) != simdjson::SUCCESS) {
      return std::nullopt;
    }
    return Part{target, part.document};
  }

  /// Everything that the schema asks for, that of the schemas it refers to as well. False if that does not end.
  bool demands_of(Part part, std::vector<Demand>& to, std::size_t depth) {
    if (depth > kSchemaDepthMax || to.size() > kSubschemasMax || !work_.spend(1 + size_of(part.schema))) return false;
    if (!part.schema.is_object()) {
      to.push_back({Kind::Plain, part});
      return true;
    }
    if (const auto reference = member_of(part.schema, "$ref")) {
      const auto target = resolve(part, *reference);
      if (!target) {
        to.push_back({Kind::Unknown, part});
      } else if (!demands_of(*target, to, depth + 1)) {
        return false;
      }
      if (!part.document->is_2020) return true;
    }
    to.push_back({Kind::Plain, part});
    if (const auto all = member_of(part.schema, "allOf"); all && all->is_array()) {
      for (const element each : array_in(*all)) {
        if (!demands_of({each, part.document}, to, depth + 1)) return false;
      }
    }
    if (member_of(part.schema, "anyOf")) to.push_back({Kind::AnyOf, part});
    if (member_of(part.schema, "oneOf")) to.push_back({Kind::OneOf, part});
    if (const auto negated = member_of(part.schema, "not")) to.push_back({Kind::Not, {*negated, part.document}});
    if (member_of(part.schema, "if")) to.push_back({Kind::If, part});
    if (part.document->is_2020) {
      for (const char* const name : {"unevaluatedItems", "unevaluatedProperties"}) {
        if (member_of(part.schema, name)) to.push_back({Kind::Unevaluated, part});
      }
      if (member_of(part.schema, "$dynamicRef")) to.push_back({Kind::Unknown, part});
    }
    return true;
  }

  /// Tells subschemas with members apart: where the name of the first one lies in memory.
  using PartId = const char*;
  static PartId id_of(Part part) {
    if (!part.schema.is_object() || object_in(part.schema).size() == 0) return nullptr;
    return object_in(part.schema).begin().key().data();
  }
  static std::uint64_t size_of(element schema) { return schema.is_object() ? object_in(schema).size() : 0; }

  /// What everything that holds at a place says of the names of members there. The lenient policy lets properties come
  /// and go that nothing else is said of.
  struct NamesSaid {
    PartId place = nullptr;
    std::set<std::string_view> declared;  ///< also where it holds under a condition only
    std::set<std::string_view> required;  ///< whatever holds besides
    bool others_too = false;              ///< something is said of names that are not in `declared`
  };

  /// `outer`: what holds at the same place besides, if anything does.
  NamesSaid names_said(Part from, const std::vector<Demand>& has, const NamesSaid* outer, std::size_t depth) {
    NamesSaid said;
    if (outer != nullptr) said = *outer;
    said.place = id_of(from);
    std::set<PartId> seen;
    add_names(has, true, said, seen, depth);
    return said;
  }

  void add_names(const std::vector<Demand>& has, bool is_certain, NamesSaid& said, std::set<PartId>& seen,
                 std::size_t depth) {
    const auto add_conditional = [&](Part part) {
      if (is_true(part.schema) || is_false(part.schema) || !seen.insert(id_of(part)).second) return;
      std::vector<Demand> demands;
      if (depth < kComparisonDepthMax && demands_of(part, demands, 0)) {
        add_names(demands, false, said, seen, depth + 1);
      } else {
        said.others_too = true;
      }
    };
    for (const Demand& each : has) {
      const Part part = each.part;
      switch (each.kind) {
        case Kind::Plain: {
          const Members members = members_in(part);
          for (const auto& [name, schema] : members.declared) said.declared.insert(name);
          if (is_certain) said.required.insert(members.required.begin(), members.required.end());
          if (!members.is_open() && !members.is_closed()) said.others_too = true;
          for (const std::string_view keyword : {"dependencies", "dependentSchemas"}) {
            const auto dependent = dependencies_in(part, keyword);
            if (!dependent) continue;
            for (const auto& [name, schema] : object_in(*dependent)) add_conditional({schema, part.document});
          }
          break;
        }
        case Kind::AnyOf:
        case Kind::OneOf:
          for (const Part branch : branches_of(each)) add_conditional(branch);
          break;
        case Kind::Not:
          add_conditional(part);
          break;
        case Kind::If:
          for (const char* const keyword : {"then", "else"}) {
            if (const auto branch = member_of(part.schema, keyword)) add_conditional({*branch, part.document});
          }
          break;
        case Kind::Unevaluated:
        case Kind::Unknown:
          said.others_too = true;
          break;
      }
    }
  }

  /// Whether whatever is valid under `from` is so under `to`. `pointer` is where they stand; differences are told to
  /// `tell`, if it is not null. `outer`: what holds at the same place besides `from`.
  bool contains(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth,
                const NamesSaid* outer = nullptr) {
    if (is_true(to.schema) || is_false(from.schema)) return true;
    if (is_false(to.schema)) return differ(tell, pointer, "schema-closed", "Nothing is valid here any more.");
    const std::uint64_t size = size_of(from.schema) + size_of(to.schema);
    if (depth > kComparisonDepthMax || !work_.spend(kComparisonCost + size)) {
      return differ_by_size(tell, pointer);
    }
    // What is being compared already holds if the rest does.
    const Comparison comparison{id_of(from), id_of(to), outer == nullptr ? nullptr : outer->place, concedes()};
    if (!under_way_.insert(comparison).second) return true;
    const bool result = contains_demands(from, to, pointer, tell, depth, outer);
    under_way_.erase(comparison);
    return result;
  }

  /// The same without what a policy lets pass, where a concession would turn into its opposite.
  bool contains_exactly(Part from, Part to, const std::string& pointer, std::size_t depth) {
    ++exact_;
    const bool result = contains(from, to, pointer, nullptr, depth);
    --exact_;
    return result;
  }
  [[nodiscard]] bool concedes() const { return exact_ == 0; }

  bool contains_demands(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth,
                        const NamesSaid* outer) {
    std::vector<Demand> has, wants;
    if (!demands_of(from, has, 0) || !demands_of(to, wants, 0)) {
      return differ(tell, pointer, "beyond-comparison", "References go too deep to be compared.");
    }
    const NamesSaid said = names_said(from, has, outer, depth);
    bool all = true;
    for (const Demand& wanted : wants) {
      if (!meets(from, has, said, wanted, pointer, tell, depth)) all = false;
    }
    return all;
  }

  /// Whether what meets all of `has`, which is what `from` asks for, meets `wanted`.
  bool meets(Part from, const std::vector<Demand>& has, const NamesSaid& said, const Demand& wanted,
             const std::string& pointer, Differences* tell, std::size_t depth) {
    switch (wanted.kind) {
      case Kind::Plain:
        return meets_plain(has, said, wanted, pointer, tell, depth);
      case Kind::AnyOf:
        return meets_sum(from, has, said, wanted, "anyOf", pointer, tell, depth);
      case Kind::OneOf:
        return meets_sum(from, has, said, wanted, "oneOf", pointer, tell, depth);
      case Kind::Not:
        for (const Demand& each : has) {
          if (each.kind == Kind::Not && contains_exactly(wanted.part, each.part, pointer + "/not", depth + 1))
            return true;
        }
        return differ(tell, below(pointer, "not"), "not-extended", "More is ruled out than before.");
      case Kind::If:
        return has_same(has, wanted, {"if", "then", "else"}) ||
               differ(tell, below(pointer, "if"), "condition-changed", "The condition is not the same.");
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

  bool meets_plain(const std::vector<Demand>& has, const NamesSaid& said, const Demand& wanted,
                   const std::string& pointer, Differences* tell, std::size_t depth) {
    for (const Demand& each : has) {
      if (work_.exhausted()) break;
      if (each.kind == Kind::Plain) {
        if (plain_contains(each.part, wanted.part, said, pointer, nullptr, depth)) return true;
      } else if (each.kind == Kind::AnyOf || each.kind == Kind::OneOf) {
        const auto branches = branches_of(each);
        if (std::all_of(branches.begin(), branches.end(),
                        [&](const Part& branch) { return contains_plain_of(branch, said, wanted, pointer, depth); })) {
          return true;
        }
      }
    }
    if (work_.exhausted()) return differ_by_size(tell, pointer);
    if (tell == nullptr) return false;
    // Of the one that is most like it.
    std::optional<Differences> fewest;
    for (const Demand& each : has) {
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
  bool contains_plain_of(Part branch, const NamesSaid& outer, const Demand& wanted, const std::string& pointer,
                         std::size_t depth) {
    if (depth >= kComparisonDepthMax || !work_.spend(kComparisonCost)) return false;
    std::vector<Demand> has;
    if (!demands_of(branch, has, 0)) return false;
    return is_false(branch.schema) ||
           meets_plain(has, names_said(branch, has, &outer, depth), wanted, pointer, nullptr, depth + 1);
  }

  static std::vector<Part> branches_of(const Demand& sum) {
    std::vector<Part> branches;
    const auto list = member_of(sum.part.schema, sum.kind == Kind::AnyOf ? "anyOf" : "oneOf");
    if (!list || !list->is_array()) return branches;
    for (const element each : array_in(*list)) branches.push_back({each, sum.part.document});
    return branches;
  }

  bool meets_sum(Part from, const std::vector<Demand>& has, const NamesSaid& said, const Demand& wanted,
                 std::string_view keyword, const std::string& pointer, Differences* tell, std::size_t depth) {
    const std::vector<Part> choices = branches_of(wanted);
    const std::string place = below(pointer, keyword);
    const auto is_in_one = [&](Part part) {
      return std::any_of(choices.begin(), choices.end(),
                         [&](const Part& choice) { return contains(part, choice, place, nullptr, depth + 1, &said); });
    };
    const auto are_in_one = [&](const Demand& each) {
      if (each.kind != Kind::AnyOf && each.kind != Kind::OneOf) return false;
      const auto branches = branches_of(each);
      return std::all_of(branches.begin(), branches.end(), is_in_one);
    };
    if (!is_in_one(from) && std::none_of(has.begin(), has.end(), are_in_one)) {
      return differ(tell, place, "choice-removed", "Not everything that was valid is so by one of the choices.");
    }
    if (wanted.kind == Kind::AnyOf || exclude_each_other(choices)) return true;
    for (const Demand& each : has) {
      if (each.kind == Kind::OneOf && are_as_exclusive(branches_of(each), choices, said, place, depth)) return true;
    }
    return differ(tell, place, "choices-overlap",
                  "Something that was valid may be so by more than one of the choices.");
  }

  /// Whether each of the choices is one of the branches, or more, without leaving what only that branch takes.
  bool are_as_exclusive(const std::vector<Part>& branches, std::vector<Part> choices, const NamesSaid& said,
                        const std::string& place, std::size_t depth) {
    if (branches.size() != choices.size()) return false;
    for (const Part& branch : branches) {
      const auto same = std::find_if(choices.begin(), choices.end(), [&](const Part& choice) {
        return contains(branch, choice, place, nullptr, depth + 1, &said) &&
               contains_exactly(choice, branch, place, depth + 1);
      });
      if (same == choices.end()) return false;
      choices.erase(same);
    }
    return true;
  }

  /// By what a choice is told from others.
  struct Discriminators {
    std::uint8_t types = kAnyType;
    std::map<std::string_view, std::vector<element>> values;  ///< of members that must be there
  };
  std::optional<Discriminators> discriminators_of(Part choice) {
    std::vector<Demand> demands;
    if (!demands_of(choice, demands, 0)) return std::nullopt;
    Discriminators found;
    std::set<std::string_view> required;
    for (const Demand& each : demands) {
      if (each.kind != Kind::Plain) continue;
      if (is_false(each.part.schema)) found.types = 0;
      found.types &= types_of(each.part.schema);
      Members members = members_in(each.part);
      required.merge(members.required);
      for (const auto& [name, part] : members.declared) {
        if (const auto values = values_of(part.schema)) found.values.emplace(name, *values);
      }
    }
    std::erase_if(found.values, [&](const auto& each) { return !required.contains(each.first); });
    return found;
  }

  /// Whether nothing can be valid by two of the choices. False also if that is not known.
  bool exclude_each_other(const std::vector<Part>& choices) {
    if (choices.size() < 2) return true;
    std::vector<Discriminators> all;
    for (const Part& choice : choices) {
      auto found = discriminators_of(choice);
      if (!found) return false;
      for (const Discriminators& other : all) {
        if (!exclude_each_other(*found, other)) return false;
      }
      all.push_back(std::move(*found));
    }
    return true;
  }
  bool exclude_each_other(const Discriminators& a, const Discriminators& b) {
    if (!work_.spend(1 + a.values.size())) return false;
    if ((a.types & b.types) == 0) return true;
    if ((a.types & b.types) != kObjectType) return false;
    return std::any_of(a.values.begin(), a.values.end(), [&](const auto& mine) {
      const auto other = b.values.find(mine.first);
      if (other == b.values.end()) return false;
      const bool no_same = std::none_of(mine.second.begin(), mine.second.end(), [&](element value) {
        return std::any_of(other->second.begin(), other->second.end(), [&](element each) { return same(value, each); });
      });
      return no_same && !work_.exhausted();
    });
  }

  bool has_same(const std::vector<Demand>& has, const Demand& wanted,
                std::initializer_list<std::string_view> keywords) {
    return std::any_of(has.begin(), has.end(), [&](const Demand& each) {
      return each.kind == wanted.kind && std::all_of(keywords.begin(), keywords.end(), [&](std::string_view keyword) {
               const auto a = member_of(each.part.schema, keyword), b = member_of(wanted.part.schema, keyword);
               return a.has_value() == b.has_value() && (!a || (same(*a, *b) && !refers(*a)));
             });
    });
  }

  /// It counts whatever the rest of its schema looks at, so the whole of it must be the same.
  bool has_same_unevaluated(const std::vector<Demand>& has, const Demand& wanted) {
    return std::any_of(has.begin(), has.end(), [&](const Demand& each) {
      return each.kind == Kind::Unevaluated && same(each.part.schema, wanted.part.schema) &&
             !refers(wanted.part.schema);
    });
  }

  bool same(element a, element b) {
    const bool result = same_json(JsonInstance(a), JsonInstance(b), work_);
    return result && !work_.exhausted();
  }
  /// Whether it leads elsewhere, where the two documents may differ.
  static bool refers(element schema) {
    if (schema.is_array()) {
      for (const element each : array_in(schema)) {
        if (refers(each)) return true;
      }
    }
    if (!schema.is_object()) return false;
    for (const auto& [name, value] : object_in(schema)) {
      if (name == "$ref" || name == "$dynamicRef" || refers(value)) return true;
    }
    return false;
  }

  // What one schema says by itself.

  bool plain_contains(Part from, Part to, const NamesSaid& said, const std::string& pointer, Differences* tell,
                      std::size_t depth) {
    constexpr std::uint64_t kKeywords = 20;
    if (is_true(to.schema) || is_false(from.schema)) return true;
    if (is_false(to.schema)) return differ(tell, pointer, "schema-closed", "Nothing is valid here any more.");
    if (!work_.spend(kKeywords + size_of(from.schema) + size_of(to.schema))) return differ_by_size(tell, pointer);
    const std::uint8_t has = types_of(from.schema);
    bool all = true;
    const std::uint8_t wants = member_of(to.schema, "type") ? declared_types(to.schema) : kAnyType;
    if ((has & ~wants) != 0) {
      all = differ(tell, below(pointer, "type"), "type-narrowed", "Values of a type that was valid are not any more.");
    }
    if (const auto allowed = values_of(to.schema)) all = values_contain(from, to, *allowed, pointer, tell) && all;
    if ((has & wants & (kIntegerType | kNumberType)) != 0) all = numbers_contain(from, to, pointer, tell) && all;
    if ((has & wants & kStringType) != 0) all = strings_contain(from, to, pointer, tell) && all;
    if ((has & wants & kArrayType) != 0) all = arrays_contain(from, to, pointer, tell, depth) && all;
    if ((has & wants & kObjectType) != 0) all = objects_contain(from, to, said, pointer, tell, depth) && all;
    return all;
  }

  static std::uint8_t declared_types(element schema) {
    std::uint8_t types = 0;
    const auto named = member_of(schema, "type");
    if (named->is_string()) types = type_named(named->get_string().value_unsafe());
    if (named->is_array()) {
      for (const element each : array_in(*named)) types |= type_named(each.get_string().value_unsafe());
    }
    return types;
  }

  bool values_contain(Part from, Part to, const std::vector<element>& allowed, const std::string& pointer,
                      Differences* tell) {
    const std::string place = below(pointer, "enum");
    const auto has = values_of(from.schema);
    if (!has) return differ(tell, place, "values-listed", "Only listed values are valid now.");
    auto known = value_sets_.find(id_of(to));
    if (known == value_sets_.end()) known = value_sets_.emplace(id_of(to), JsonValueSet(allowed)).first;
    for (const element value : *has) {
      const bool found = known->second.contains(JsonInstance(value), work_);
      if (work_.exhausted()) return differ_by_size(tell, pointer);
      if (!found) return differ(tell, place, "value-removed", "A value that was listed is not any more.");
    }
    return true;
  }

  static std::optional<JsonNumber> number_in(Part part, std::string_view keyword) {
    const auto value = member_of(part.schema, keyword);
    return value ? JsonNumber::of(*value) : std::nullopt;
  }

  bool numbers_contain(Part from, Part to, const std::string& pointer, Differences* tell) {
    bool all = true;
    const auto at_most = [&](const JsonNumber& bound, bool exclusive) {
      const auto most = number_in(from, "maximum"), below_of = number_in(from, "exclusiveMaximum");
      return (most && (exclusive ? *most < bound : *most <= bound)) || (below_of && *below_of <= bound);
    };
    const auto at_least = [&](const JsonNumber& bound, bool exclusive) {
      const auto least = number_in(from, "minimum"), above = number_in(from, "exclusiveMinimum");
      return (least && (exclusive ? *least > bound : *least >= bound)) || (above && *above >= bound);
    };
    const auto listed = values_of(from.schema).has_value();
    const auto check = [&](std::string_view keyword, auto met) {
      const auto bound = number_in(to, keyword);
      if (bound && !met(*bound) &&
          !(listed && all_listed(from, [&](const JsonNumber& n) { return meets_bound(n, keyword, *bound); }))) {
        all = differ(tell, below(pointer, keyword), "bound-tightened", "Fewer numbers are valid than before.");
      }
    };
    check("maximum", [&](const JsonNumber& bound) { return at_most(bound, false); });
    check("exclusiveMaximum", [&](const JsonNumber& bound) { return at_most(bound, true); });
    check("minimum", [&](const JsonNumber& bound) { return at_least(bound, false); });
    check("exclusiveMinimum", [&](const JsonNumber& bound) { return at_least(bound, true); });
    if (const auto wanted = number_in(to, "multipleOf")) {
      const auto has = number_in(from, "multipleOf");
      const auto divisor = Divisor::of(*wanted);
      if (!divisor || !has || !divisor->divides(*has)) {
        all = differ(tell, below(pointer, "multipleOf"), "multiple-changed", "Fewer multiples are valid than before.");
      }
    }
    return all;
  }

  static bool meets_bound(const JsonNumber& number, std::string_view keyword, const JsonNumber& bound) {
    if (keyword == "maximum") return number <= bound;
    if (keyword == "exclusiveMaximum") return number < bound;
    if (keyword == "minimum") return number >= bound;
    return number > bound;
  }
  template <class Test>
  static bool all_listed(Part from, Test test) {
    const auto values = values_of(from.schema);
    return values && std::all_of(values->begin(), values->end(), [&](element value) {
             const auto number = JsonNumber::of(value);
             return !number || test(*number);
           });
  }

  /// Both bounds of something that is counted.
  static bool counts_contain(Part from, Part to, std::string_view least, std::string_view most,
                             const std::string& pointer, Differences* tell) {
    bool all = true;
    const auto lowest = number_in(to, least);
    const auto highest = number_in(to, most);
    const auto has_lowest = number_in(from, least);
    const auto has_highest = number_in(from, most);
    if (lowest && lowest->positive() && (!has_lowest || *has_lowest < *lowest)) {
      all = differ(tell, below(pointer, least), "bound-tightened", "More is asked for than before.");
    }
    if (highest && (!has_highest || *has_highest > *highest)) {
      all = differ(tell, below(pointer, most), "bound-tightened", "Less is allowed than before.");
    }
    return all;
  }

  bool strings_contain(Part from, Part to, const std::string& pointer, Differences* tell) {
    bool all = counts_contain(from, to, "minLength", "maxLength", pointer, tell);
    for (const std::string_view keyword : {"pattern", "format"}) {
      const auto wanted = member_of(to.schema, keyword), has = member_of(from.schema, keyword);
      if (wanted && (!has || !same(*wanted, *has))) {
        all = differ(tell, below(pointer, keyword), keyword == "pattern" ? "pattern-changed" : "format-changed",
                     "Texts are held against something that they were not held against before.");
      }
    }
    return all;
  }

  struct Items {
    std::vector<Part> first;
    std::optional<Part> rest;
    std::string_view first_keyword = "items";
    std::string_view rest_keyword = "items";
  };
  /// Of a keyword that says nothing in draft-07.
  static std::optional<element> known_to_2020(Part part, std::string_view keyword) {
    return part.document->is_2020 ? member_of(part.schema, keyword) : std::nullopt;
  }
  static Items items_of(Part part) {
    Items items;
    const auto own = member_of(part.schema, "items");
    const auto prefix = part.document->is_2020 ? member_of(part.schema, "prefixItems") : own;
    if (prefix && prefix->is_array()) {
      if (part.document->is_2020) items.first_keyword = "prefixItems";
      for (const element each : array_in(*prefix)) items.first.push_back({each, part.document});
      if (!part.document->is_2020) items.rest_keyword = "additionalItems";
    }
    const auto rest = items.rest_keyword == "items" ? own : member_of(part.schema, "additionalItems");
    if (rest && !rest->is_array()) items.rest = Part{*rest, part.document};
    return items;
  }

  bool arrays_contain(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth) {
    bool all = counts_contain(from, to, "minItems", "maxItems", pointer, tell);
    const auto says = [](Part part, std::string_view keyword) {
      const auto value = member_of(part.schema, keyword);
      return value && value->is_bool() && value->get_bool().value_unsafe();
    };
    if (says(to, "uniqueItems") && !says(from, "uniqueItems")) {
      all = differ(tell, below(pointer, "uniqueItems"), "unique-added", "An element must not come twice any more.");
    }
    const Items has = items_of(from), wants = items_of(to);
    const Part anything{true_.root, &true_};
    for (std::size_t i = 0; i < std::max(has.first.size(), wants.first.size()); ++i) {
      const Part before = i < has.first.size() ? has.first[i] : has.rest.value_or(anything);
      const Part after = i < wants.first.size() ? wants.first[i] : wants.rest.value_or(anything);
      const std::string place = i < wants.first.size() ? below(pointer, wants.first_keyword, std::to_string(i))
                                                       : below(pointer, wants.rest_keyword);
      all = contains(before, after, place, tell, depth + 1) && all;
    }
    if (wants.rest) {
      all = contains(has.rest.value_or(anything), *wants.rest, below(pointer, wants.rest_keyword), tell, depth + 1) &&
            all;
    }
    if (const auto wanted = member_of(to.schema, "contains")) {
      const auto contained = member_of(from.schema, "contains");
      bool same_counts = true;
      bool counted = false;
      for (const std::string_view keyword : {"minContains", "maxContains"}) {
        const auto before = known_to_2020(from, keyword), after = known_to_2020(to, keyword);
        counted = counted || before || after;
        same_counts = same_counts && before.has_value() == after.has_value() && (!before || same(*before, *after));
      }
      const bool may_differ = !counted || (contained && same(*contained, *wanted) && !refers(*wanted));
      if (!contained || !same_counts || !may_differ ||
          !contains({*contained, from.document}, {*wanted, to.document}, "", nullptr, depth + 1)) {
        all = differ(tell, below(pointer, "contains"), "contains-changed", "Something else must be in the array now.");
      }
    }
    return all;
  }

  /// What an object schema says of members by their names.
  struct Members {
    std::map<std::string_view, Part> declared;
    std::vector<std::pair<std::string_view, Part>> patterns;
    std::optional<Part> additional;
    std::set<std::string_view> required;

    [[nodiscard]] bool is_open() const { return patterns.empty() && (!additional || is_true(additional->schema)); }
    [[nodiscard]] bool is_closed() const { return patterns.empty() && additional && is_false(additional->schema); }
  };
  static Members members_in(Part part) {
    Members members;
    if (const auto declared = member_of(part.schema, "properties"); declared && declared->is_object()) {
      for (const auto& [name, schema] : object_in(*declared))
        members.declared.emplace(name, Part{schema, part.document});
    }
    if (const auto patterns = member_of(part.schema, "patternProperties"); patterns && patterns->is_object()) {
      for (const auto& [name, schema] : object_in(*patterns))
        members.patterns.push_back({name, {schema, part.document}});
    }
    if (const auto rest = member_of(part.schema, "additionalProperties"))
      members.additional = Part{*rest, part.document};
    members.required = names_in(member_of(part.schema, "required"));
    return members;
  }

  /// What a member of this name must be: all of them.
  std::vector<Part> parts_for(const Members& members, std::string_view name) {
    std::vector<Part> parts;
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

  bool objects_contain(Part from, Part to, const NamesSaid& said, const std::string& pointer, Differences* tell,
                       std::size_t depth) {
    bool all = counts_contain(from, to, "minProperties", "maxProperties", pointer, tell);
    const Members has = members_in(from), wants = members_in(to);
    (void)work_.spend((has.declared.size() + wants.declared.size()) *
                          (1 + has.patterns.size() + wants.patterns.size()) +
                      has.patterns.size() * wants.patterns.size());
    for (const std::string_view name : wants.required) {
      if (has.required.contains(name)) continue;
      const auto declared = wants.declared.find(name);
      if (concedes() && declared != wants.declared.end() && member_of(declared->second.schema, "default")) continue;
      all = differ(tell, below(pointer, "required"), "property-required",
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

  bool member_contains(const Members& has, const Members& wants, const NamesSaid& said, std::string_view name,
                       const std::string& pointer, Differences* tell, std::size_t depth) {
    const bool is_new = has.is_open() && !said.declared.contains(name);
    const bool is_gone = !wants.declared.contains(name) && wants.is_closed();
    if (policy_ == SchemaPolicy::Lenient && concedes() && !said.required.contains(name)) {
      if (is_gone || (is_new && !said.others_too)) return true;
    }
    std::vector<Part> before = parts_for(has, name);
    if (before.empty()) before.push_back({true_.root, &true_});
    const std::string place = below(pointer, "properties", name);
    bool all = true;
    for (const Part& wanted : parts_for(wants, name)) {
      if (std::any_of(before.begin(), before.end(),
                      [&](const Part& each) { return contains(each, wanted, place, nullptr, depth + 1); })) {
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
  bool others_contain(const Members& has, const Members& wants, const std::string& pointer, Differences* tell,
                      std::size_t depth) {
    const Part anything{true_.root, &true_};
    const Part before = has.additional.value_or(anything), after = wants.additional.value_or(anything);
    bool all = true;
    const std::string rest = below(pointer, "additionalProperties");
    if (is_false(after.schema) && !is_false(before.schema)) {
      all = differ(tell, rest, "model-closed", "Other members are not valid any more.");
    } else {
      all = contains(before, after, rest, tell, depth + 1);
    }
    for (const auto& [pattern, part] : wants.patterns) {
      const std::string_view wanted = pattern;
      const auto same_pattern = std::find_if(has.patterns.begin(), has.patterns.end(),
                                             [&](const auto& each) { return each.first == wanted; });
      const std::string place = below(pointer, "patternProperties", pattern);
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
      all = contains(part, after, below(pointer, "patternProperties", pattern), tell, depth + 1) && all;
    }
    return all;
  }

  bool names_contain(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth) {
    const auto wanted = member_of(to.schema, "propertyNames");
    if (!wanted || is_true(*wanted)) return true;
    const auto has = member_of(from.schema, "propertyNames");
    const Part before = has ? Part{*has, from.document} : Part{true_.root, &true_};
    return contains(before, {*wanted, to.document}, below(pointer, "propertyNames"), tell, depth + 1);
  }

  static std::optional<element> dependencies_in(Part part, std::string_view keyword) {
    const auto found = keyword == "dependencies" ? member_of(part.schema, keyword) : known_to_2020(part, keyword);
    return found && found->is_object() ? found : std::nullopt;
  }

  bool dependencies_contain(Part from, Part to, const Members& has, const NamesSaid& said, const std::string& pointer,
                            Differences* tell, std::size_t depth) {
    bool all = true;
    for (const std::string_view keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      const auto wanted = dependencies_in(to, keyword);
      if (!wanted) continue;
      const auto known = dependencies_in(from, keyword);
      for (const auto& [name, value] : object_in(*wanted)) {
        const auto before = known ? member_of(*known, name) : std::nullopt;
        bool met = false;
        if (value.is_array()) {
          std::set<std::string_view> there = has.required;
          if (before) there.merge(names_in(*before));
          const auto needed = names_in(value);
          met = std::includes(there.begin(), there.end(), needed.begin(), needed.end());
        } else {
          met = before && !before->is_array() &&
                contains({*before, from.document}, {value, to.document}, "", nullptr, depth + 1, &said);
        }
        if (!met) {
          all = differ(tell, below(pointer, keyword, name), "dependency-added",
                       "More is asked for beside this property than before.");
        }
      }
    }
    return all;
  }

  struct Comparison {
    PartId from;
    PartId to;
    PartId outer;
    bool concedes;
    auto operator<=>(const Comparison&) const = default;
  };

  const SchemaPolicy policy_;
  const SchemaDocument true_{"true"};
  WorkBudget& work_;
  std::size_t exact_ = 0;  ///< > 0: nothing is conceded
  std::set<Comparison> under_way_;
  std::map<PartId, JsonValueSet> value_sets_;  ///< of those that are to contain others
  std::map<std::string, std::shared_ptr<const EcmaPattern>, std::less<>> patterns_;
  Differences found_;
};

}  // namespace

std::vector<SchemaDifference> breaking_differences(std::string_view from, std::string_view to, SchemaPolicy policy,
                                                   WorkBudget& work) {
  (void)work.spend((from.size() + to.size()) / kParsedBytesPerWork);
  const SchemaDocument before(from), after(to);
  if (!before.readable || !after.readable) {
    return {{"", "beyond-comparison", "A schema cannot be read."}};
  }
  return SchemaComparison(policy, work).run(before, after);
}

}  // namespace stele::api
