#include "api/schemas/schema_change.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
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

constexpr std::size_t kComparisonsMax = 100'000;
constexpr std::size_t kComparisonDepthMax = 300;
constexpr std::uint64_t kComparisonWork = 10'000'000;

std::optional<element> member_of(element schema, std::string_view name) {
  element value;
  if (!schema.is_object() || schema.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

/// A document with a schema.
struct SchemaDocument {
  explicit SchemaDocument(std::string_view text) : text_(text) {
    const auto error = parser_.parse(text_).get(root);
    readable = error == simdjson::SUCCESS;
    std::string_view uri;
    if (!readable) return;
    if (const auto named = member_of(root, "$schema")) {
      is_2020 = named->get(uri) == simdjson::SUCCESS && uri.find("2020-12") != std::string_view::npos;
    }
  }

  element root;
  bool readable = false;
  bool is_2020 = false;

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
  explicit SchemaComparison(SchemaPolicy policy) : policy_(policy) {}

  std::vector<SchemaDifference> run(const SchemaDocument& from, const SchemaDocument& to) {
    (void)contains({from.root, &from}, {to.root, &to}, "", &found_, 0);
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
    if (depth > kSchemaDepthMax || to.size() > kSubschemasMax) return false;
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

  /// Whether whatever is valid under `from` is so under `to`. `pointer` is where they stand; differences are told to
  /// `tell`, if it is not null.
  bool contains(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth) {
    if (is_true(to.schema) || is_false(from.schema)) return true;
    if (is_false(to.schema)) return differ(tell, pointer, "schema-closed", "Nothing is valid here any more.");
    const std::uint64_t size = (from.schema.is_object() ? object_in(from.schema).size() : 0) +
                               (to.schema.is_object() ? object_in(to.schema).size() : 0);
    if (depth > kComparisonDepthMax || !work_.spend(kComparisonWork / kComparisonsMax + size)) {
      return differ(tell, pointer, "beyond-comparison", "The schemas are too large or too deep to be compared.");
    }
    // What is being compared already holds if the rest does.
    const auto pair = std::make_pair(id_of(from), id_of(to));
    if (!under_way_.insert(pair).second) return true;
    const bool result = contains_demands(from, to, pointer, tell, depth);
    under_way_.erase(pair);
    return result;
  }

  bool contains_demands(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth) {
    std::vector<Demand> has, wants;
    if (!demands_of(from, has, 0) || !demands_of(to, wants, 0)) {
      return differ(tell, pointer, "beyond-comparison", "References go too deep to be compared.");
    }
    bool all = true;
    for (const Demand& wanted : wants) {
      if (!meets(from, has, wanted, pointer, tell, depth)) all = false;
    }
    return all;
  }

  /// Whether what meets all of `has`, which is what `from` asks for, meets `wanted`.
  bool meets(Part from, const std::vector<Demand>& has, const Demand& wanted, const std::string& pointer,
             Differences* tell, std::size_t depth) {
    switch (wanted.kind) {
      case Kind::Plain:
        return meets_plain(has, wanted, pointer, tell, depth);
      case Kind::AnyOf:
        return meets_sum(from, has, wanted, "anyOf", pointer, tell, depth);
      case Kind::OneOf:
        return meets_sum(from, has, wanted, "oneOf", pointer, tell, depth);
      case Kind::Not:
        for (const Demand& each : has) {
          if (each.kind == Kind::Not && contains(wanted.part, each.part, pointer + "/not", nullptr, depth + 1))
            return true;
        }
        return differ(tell, below(pointer, "not"), "not-extended", "More is ruled out than before.");
      case Kind::If:
        return has_same(has, wanted, {"if", "then", "else"}) ||
               differ(tell, below(pointer, "if"), "condition-changed", "The condition is not the same.");
      case Kind::Unevaluated:
        return has_same(has, wanted, {"unevaluatedItems", "unevaluatedProperties"}) ||
               differ(tell, pointer, "unevaluated-changed", "What may be there besides is not the same.");
      case Kind::Unknown:
        break;
    }
    return differ(tell, pointer, "reference-not-compared", "Only references that are JSON pointers are compared.");
  }

  bool meets_plain(const std::vector<Demand>& has, const Demand& wanted, const std::string& pointer, Differences* tell,
                   std::size_t depth) {
    const Demand* first = nullptr;
    for (const Demand& each : has) {
      if (each.kind == Kind::Plain) {
        if (first == nullptr) first = &each;
        if (plain_contains(each.part, wanted.part, pointer, nullptr, depth)) return true;
      } else if (each.kind == Kind::AnyOf || each.kind == Kind::OneOf) {
        const auto branches = branches_of(each);
        if (std::all_of(branches.begin(), branches.end(),
                        [&](const Part& branch) { return contains_plain_of(branch, wanted, pointer, depth); })) {
          return true;
        }
      }
    }
    if (first == nullptr) return differ(tell, pointer, "constraint-added", "More is asked for than before.");
    if (tell == nullptr) return false;
    (void)plain_contains(first->part, wanted.part, pointer, tell, depth);
    return false;
  }

  /// Whether a branch alone suffices for one demand.
  bool contains_plain_of(Part branch, const Demand& wanted, const std::string& pointer, std::size_t depth) {
    std::vector<Demand> has;
    return depth < kComparisonDepthMax && demands_of(branch, has, 0) &&
           (is_false(branch.schema) || meets_plain(has, wanted, pointer, nullptr, depth + 1));
  }

  static std::vector<Part> branches_of(const Demand& sum) {
    std::vector<Part> branches;
    const auto list = member_of(sum.part.schema, sum.kind == Kind::AnyOf ? "anyOf" : "oneOf");
    if (!list || !list->is_array()) return branches;
    for (const element each : array_in(*list)) branches.push_back({each, sum.part.document});
    return branches;
  }

  bool meets_sum(Part from, const std::vector<Demand>& has, const Demand& wanted, std::string_view keyword,
                 const std::string& pointer, Differences* tell, std::size_t depth) {
    const std::vector<Part> choices = branches_of(wanted);
    const std::string place = below(pointer, keyword);
    const auto is_in_one = [&](Part part) {
      return std::any_of(choices.begin(), choices.end(),
                         [&](const Part& choice) { return contains(part, choice, place, nullptr, depth + 1); });
    };
    if (is_in_one(from)) return true;
    for (const Demand& each : has) {
      if (each.kind != Kind::AnyOf && each.kind != Kind::OneOf) continue;
      const auto branches = branches_of(each);
      if (std::all_of(branches.begin(), branches.end(), is_in_one)) return true;
    }
    return differ(tell, place, "choice-removed", "Not everything that was valid is so by one of the choices.");
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

  bool plain_contains(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth) {
    if (is_true(to.schema)) return true;
    const std::uint8_t has = types_of(from.schema);
    bool all = true;
    const std::uint8_t wants = member_of(to.schema, "type") ? declared_types(to.schema) : kAnyType;
    if ((has & ~wants) != 0) {
      all = differ(tell, below(pointer, "type"), "type-narrowed", "Values of a type that was valid are not any more.");
    }
    if (const auto allowed = values_of(to.schema)) all = values_contain(from.schema, *allowed, pointer, tell) && all;
    if ((has & wants & (kIntegerType | kNumberType)) != 0) all = numbers_contain(from, to, pointer, tell) && all;
    if ((has & wants & kStringType) != 0) all = strings_contain(from, to, pointer, tell) && all;
    if ((has & wants & kArrayType) != 0) all = arrays_contain(from, to, pointer, tell, depth) && all;
    if ((has & wants & kObjectType) != 0) all = objects_contain(from, to, pointer, tell, depth) && all;
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

  bool values_contain(element from, const std::vector<element>& allowed, const std::string& pointer,
                      Differences* tell) {
    const std::string_view keyword = "enum";
    const auto has = values_of(from);
    if (!has) return differ(tell, below(pointer, keyword), "values-listed", "Only listed values are valid now.");
    for (const element value : *has) {
      if (std::none_of(allowed.begin(), allowed.end(), [&](element each) { return same(value, each); })) {
        return differ(tell, below(pointer, keyword), "value-removed", "A value that was listed is not any more.");
      }
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
        const auto before = member_of(from.schema, keyword), after = member_of(to.schema, keyword);
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

  bool objects_contain(Part from, Part to, const std::string& pointer, Differences* tell, std::size_t depth) {
    bool all = counts_contain(from, to, "minProperties", "maxProperties", pointer, tell);
    const Members has = members_in(from), wants = members_in(to);
    (void)work_.spend((has.declared.size() + wants.declared.size()) *
                      (1 + has.patterns.size() + wants.patterns.size()));
    for (const std::string_view name : wants.required) {
      if (has.required.contains(name)) continue;
      const auto declared = wants.declared.find(name);
      if (declared != wants.declared.end() && member_of(declared->second.schema, "default")) continue;
      all = differ(tell, below(pointer, "required"), "property-required",
                   "The property " + quoted(name) + " must be there now, and has no default.");
    }
    std::set<std::string_view> names;
    for (const auto& [name, part] : has.declared) names.insert(name);
    for (const auto& [name, part] : wants.declared) names.insert(name);
    for (const std::string_view name : names) {
      all = member_contains(has, wants, name, pointer, tell, depth) && all;
    }
    all = others_contain(has, wants, pointer, tell, depth) && all;
    all = names_contain(from, to, pointer, tell, depth) && all;
    return dependencies_contain(from, to, has, pointer, tell, depth) && all;
  }

  static std::string quoted(std::string_view name) {
    std::string text(name.substr(0, 100));
    return '"' + text + '"';
  }

  bool member_contains(const Members& has, const Members& wants, std::string_view name, const std::string& pointer,
                       Differences* tell, std::size_t depth) {
    const bool is_new = !has.declared.contains(name), is_gone = !wants.declared.contains(name);
    if (policy_ == SchemaPolicy::Lenient) {
      if (is_new && has.is_open()) return true;
      if (is_gone && wants.is_closed() && !has.required.contains(name)) return true;
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
      if (is_new && has.is_open()) {
        (void)differ(
            tell, place, "property-added-to-open-model",
            "Others may have put anything under this name before. Under FULL only a model that is partially open "
            "(additionalProperties with a schema) can gain or lose properties, or the policy lenient.");
      } else if (is_gone && wants.is_closed()) {
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

  bool dependencies_contain(Part from, Part to, const Members& has, const std::string& pointer, Differences* tell,
                            std::size_t depth) {
    bool all = true;
    for (const std::string_view keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      if (keyword != "dependencies" && !to.document->is_2020) continue;
      const auto wanted = member_of(to.schema, keyword);
      if (!wanted || !wanted->is_object()) continue;
      const auto known = member_of(from.schema, keyword);
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
                contains({*before, from.document}, {value, to.document}, "", nullptr, depth + 1);
        }
        if (!met) {
          all = differ(tell, below(pointer, keyword, name), "dependency-added",
                       "More is asked for beside this property than before.");
        }
      }
    }
    return all;
  }

  /// Tells subschemas with members apart: where the name of the first one lies in memory.
  using PartId = const char*;
  static PartId id_of(Part part) {
    if (!part.schema.is_object() || object_in(part.schema).size() == 0) return nullptr;
    return object_in(part.schema).begin().key().data();
  }

  const SchemaPolicy policy_;
  const SchemaDocument true_{"true"};
  WorkBudget work_{kComparisonWork};
  std::set<std::pair<PartId, PartId>> under_way_;
  std::map<std::string, std::shared_ptr<const EcmaPattern>, std::less<>> patterns_;
  Differences found_;
};

}  // namespace

std::vector<SchemaDifference> breaking_differences(std::string_view from, std::string_view to, SchemaPolicy policy) {
  const SchemaDocument before(from), after(to);
  if (!before.readable || !after.readable) {
    return {{"", "beyond-comparison", "A schema cannot be read."}};
  }
  return SchemaComparison(policy).run(before, after);
}

}  // namespace stele::api
