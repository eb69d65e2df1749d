#include "api/schemas/schema_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/json/json_diagnosis.h"
#include "api/schemas/schema_program.h"
#include "api/schemas/work_budget.h"

namespace stele::api {

namespace {

using simdjson::dom::element_type;

constexpr std::size_t kValidationDepthMax = 600;
/// So that nobody comes to a member whose number is beyond 2^24, from where on simdjson does not count them.
constexpr std::uint64_t kWorkMax = 16'000'000;

/// A set of small numbers; few of them need no memory.
class BitSet {
 public:
  explicit BitSet(std::size_t size) {
    if (size > kInlineBits) more_.resize((size - kInlineBits + 63) / 64);
  }
  void set(std::size_t bit) { word(bit) |= std::uint64_t{1} << bit % 64; }
  [[nodiscard]] bool has(std::size_t bit) const {
    const std::uint64_t bits = bit < kInlineBits ? few_[bit / 64] : more_[(bit - kInlineBits) / 64];
    return (bits >> bit % 64 & 1) != 0;
  }
  /// Of a set for as many.
  void add(const BitSet& other) {
    for (std::size_t i = 0; i < few_.size(); ++i) few_[i] |= other.few_[i];
    for (std::size_t i = 0; i < more_.size(); ++i) more_[i] |= other.more_[i];
  }

 private:
  static constexpr std::size_t kInlineBits = 128;

  std::uint64_t& word(std::size_t bit) { return bit < kInlineBits ? few_[bit / 64] : more_[(bit - kInlineBits) / 64]; }

  std::array<std::uint64_t, kInlineBits / 64> few_{};
  std::vector<std::uint64_t> more_;
};

/// The way from the root of the instance, kept on the stack.
struct PathStep {
  const PathStep* parent = nullptr;
  std::string_view name{};
  std::size_t index = 0;
  bool member = false;
};

/// The documents that validation has come through, for dynamic references.
struct DynamicScope {
  const DynamicScope* parent = nullptr;
  std::uint32_t resource = 0;
};

/// Where a check takes place.
struct Site {
  const PathStep* path = nullptr;
  /// Which members or elements of the value have been looked at by a keyword; null if nobody wants to know.
  BitSet* evaluated = nullptr;
  const DynamicScope* scope = nullptr;
};

std::size_t members_in(const JsonInstance& instance) {
  if (instance.type() == element_type::OBJECT) return object_in(instance.element()).size();
  if (instance.type() == element_type::ARRAY) return array_in(instance.element()).size();
  return 0;
}

std::uint64_t code_points(std::string_view text) {
  return static_cast<std::uint64_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string_view name_of_type(const JsonInstance& instance) {
  switch (instance.type()) {
    case element_type::NULL_VALUE:
      return "null";
    case element_type::BOOL:
      return "a boolean";
    case element_type::STRING:
      return "a string";
    case element_type::ARRAY:
      return "an array";
    case element_type::OBJECT:
      return "an object";
    default:
      return JsonNumber::of(instance.element())->whole() ? "an integer" : "a number with a fraction";
  }
}

std::string names_of_types(std::uint8_t types) {
  constexpr std::array<std::pair<std::uint8_t, std::string_view>, 7> kNames{{{kNullType, "null"},
                                                                             {kBooleanType, "boolean"},
                                                                             {kIntegerType, "integer"},
                                                                             {kNumberType, "number"},
                                                                             {kStringType, "string"},
                                                                             {kArrayType, "array"},
                                                                             {kObjectType, "object"}}};
  std::string names;
  for (const auto& [type, name] : kNames) {
    if ((types & type) == 0 || (type == kIntegerType && (types & kNumberType) != 0)) continue;
    if (!names.empty()) names += " or ";
    names += name;
  }
  return names;
}

/// Names come from outside, and may be long.
std::string shown(std::string_view name) {
  std::string token;
  append_pointer_token(token, name);
  return token.substr(1);
}

class Validation {
 public:
  Validation(const SchemaProgram& program, const ValidationLimits& limits)
      : program_(program), violations_max_(limits.violations), work_max_(std::min(limits.work, kWorkMax)) {}

  SchemaVerdict run(simdjson::dom::element instance) {
    const bool valid = check(program_.root, JsonInstance(instance), {});
    SchemaVerdict verdict;
    verdict.work = work_max_ - work_.left();
    if (work_.exhausted() || too_deep_) {
      verdict.outcome = SchemaVerdict::Outcome::LimitReached;
    } else if (!valid) {
      verdict.outcome = SchemaVerdict::Outcome::Invalid;
      verdict.violations = std::move(violations_);
    }
    return verdict;
  }

 private:
  /// While it lives nothing is written down: whether a subschema is satisfied is a question, not a demand.
  class Quiet {
   public:
    explicit Quiet(Validation& validation) : validation_(validation) { ++validation_.quiet_; }
    ~Quiet() { --validation_.quiet_; }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

   private:
    Validation& validation_;
  };

  /// Nothing that is found from here on makes a difference.
  [[nodiscard]] bool stopped() const { return stopped_ || work_.exhausted(); }

  /// Kept apart from its callers, whose frames lie on the stack by the thousand.
  template <class... Values>
  [[gnu::noinline]] bool fail(const PathStep* path, std::string_view keyword, fmt::format_string<Values...> detail,
                              Values&&... values) {
    if (quiet_ > 0) return false;
    std::vector<const PathStep*> steps;
    for (; path != nullptr; path = path->parent) steps.push_back(path);
    SchemaViolation violation{"", std::string(keyword), fmt::format(detail, std::forward<Values>(values)...)};
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      if ((*step)->member) {
        append_pointer_token(violation.pointer, (*step)->name);
      } else {
        append_pointer_token(violation.pointer, std::to_string((*step)->index));
      }
    }
    violations_.push_back(std::move(violation));
    if (violations_.size() >= violations_max_) stopped_ = true;
    return false;
  }
  /// Whether to go on after a check that gave `valid`.
  [[nodiscard]] bool go_on(bool valid) const { return !stopped() && (valid || quiet_ == 0); }

  bool check(SubschemaId id, const JsonInstance& instance, Site site) {
    const Subschema& subschema = program_.subschemas[id];
    if (!work_.spend(1)) return false;
    if (subschema.never) return fail(site.path, "false schema", "Nothing may be here.");
    if (depth_ >= kValidationDepthMax) {
      too_deep_ = true;
      stopped_ = true;
      return false;
    }
    ++depth_;
    const DynamicScope here{site.scope, subschema.resource};
    if (!program_.dynamic_anchors.empty() && (site.scope == nullptr || site.scope->resource != subschema.resource)) {
      site.scope = &here;
    }
    const bool valid = check_all(subschema, instance, site);
    --depth_;
    return valid && !stopped();
  }

  bool check_all(const Subschema& s, const JsonInstance& instance, Site site) {
    const bool wants_evaluated =
        (s.objects && s.objects->unevaluated != kNoSubschema) || (s.arrays && s.arrays->unevaluated != kNoSubschema);
    if (!wants_evaluated) return check_keywords(s, instance, site);
    const std::size_t members = members_in(instance);
    if (!work_.spend(members / 64)) return false;
    BitSet evaluated(members);
    Site inner = site;
    inner.evaluated = &evaluated;
    const bool valid = check_keywords(s, instance, inner) && check_unevaluated(s, instance, inner);
    if (valid && site.evaluated != nullptr) site.evaluated->add(evaluated);
    return valid;
  }

  bool check_keywords(const Subschema& s, const JsonInstance& instance, const Site& site) {
    if (s.types != kAnyType && !has_type(s.types, instance)) {
      return fail(site.path, "type", "It is {}, but must be {}.", name_of_type(instance), names_of_types(s.types));
    }
    bool valid = true;
    if (s.values && !s.values->contains(instance, work_)) {
      valid = fail(site.path, "enum", "It is none of the values that it may be.");
    }
    if (s.constant && go_on(valid) && !s.constant->contains(instance, work_)) {
      valid = fail(site.path, "const", "It is not the one value that it may be.");
    }
    if (!go_on(valid)) return false;
    switch (instance.type()) {
      case element_type::STRING:
        if (s.strings) valid = check_string(*s.strings, instance.text(), site) && valid;
        break;
      case element_type::ARRAY:
        if (s.arrays) valid = check_array(*s.arrays, array_in(instance.element()), site) && valid;
        break;
      case element_type::OBJECT:
        if (s.objects) valid = check_object(*s.objects, instance, site) && valid;
        break;
      case element_type::INT64:
      case element_type::UINT64:
      case element_type::DOUBLE:
        if (s.numbers) valid = check_number(*s.numbers, *JsonNumber::of(instance.element()), site) && valid;
        break;
      default:
        break;
    }
    if (s.applicators && go_on(valid)) valid = check_applicators(*s.applicators, instance, site) && valid;
    return valid;
  }

  static bool has_type(std::uint8_t types, const JsonInstance& instance) {
    switch (instance.type()) {
      case element_type::NULL_VALUE:
        return (types & kNullType) != 0;
      case element_type::BOOL:
        return (types & kBooleanType) != 0;
      case element_type::STRING:
        return (types & kStringType) != 0;
      case element_type::ARRAY:
        return (types & kArrayType) != 0;
      case element_type::OBJECT:
        return (types & kObjectType) != 0;
      case element_type::INT64:
      case element_type::UINT64:
        return (types & kIntegerType) != 0;
      default:
        return (types & kNumberType) != 0 ||
               ((types & kIntegerType) != 0 && JsonNumber::of(instance.element())->whole());
    }
  }

  bool check_number(const NumberRules& rules, const JsonNumber& number, const Site& site) {
    bool valid = true;
    if (rules.minimum && number < *rules.minimum) valid = fail(site.path, "minimum", "It is too small.");
    if (rules.exclusive_minimum && number <= *rules.exclusive_minimum) {
      valid = fail(site.path, "exclusiveMinimum", "It is too small.");
    }
    if (rules.maximum && number > *rules.maximum) valid = fail(site.path, "maximum", "It is too large.");
    if (rules.exclusive_maximum && number >= *rules.exclusive_maximum) {
      valid = fail(site.path, "exclusiveMaximum", "It is too large.");
    }
    if (rules.multiple_of && !rules.multiple_of->divides(number)) {
      valid = fail(site.path, "multipleOf", "It is no multiple of what it must be one of.");
    }
    return valid;
  }

  bool check_string(const StringRules& rules, std::string_view text, const Site& site) {
    if (!work_.spend(text.size() / 256)) return false;
    bool valid = true;
    // A code point has one to four bytes, so that most need not be counted.
    if (text.size() > rules.length.most || text.size() / 4 < rules.length.least) {
      const std::uint64_t length = code_points(text);
      if (length > rules.length.most) {
        valid = fail(site.path, "maxLength", "It has {} characters, more than {}.", length, rules.length.most);
      }
      if (length < rules.length.least) {
        valid = fail(site.path, "minLength", "It has {} characters, less than {}.", length, rules.length.least);
      }
    }
    if (rules.pattern && go_on(valid) && !rules.pattern->found_in(text, work_)) {
      valid = fail(site.path, "pattern", "It does not match {}", shown(rules.pattern->source()));
    }
    if (rules.format != nullptr && go_on(valid) && !rules.format(text)) {
      valid = fail(site.path, "format", "It is no {}.", rules.format_name);
    }
    return valid;
  }

  bool check_array(const ArrayRules& rules, simdjson::dom::array array, const Site& site) {
    const std::size_t size = array.size();
    bool valid = true;
    if (size < rules.items.least) {
      valid = fail(site.path, "minItems", "It has {} elements, less than {}.", size, rules.items.least);
    }
    if (size > rules.items.most) {
      valid = fail(site.path, "maxItems", "It has {} elements, more than {}.", size, rules.items.most);
    }
    if (rules.unique && go_on(valid) && !all_different(array, work_)) {
      valid = fail(site.path, "uniqueItems", "Two of its elements are the same.");
    }
    if (!go_on(valid)) return false;
    std::size_t index = 0;
    for (const simdjson::dom::element item : array) {
      const bool in_prefix = index < rules.prefix.size();
      if (!in_prefix && rules.rest == kNoSubschema) break;
      const PathStep step{site.path, {}, index, false};
      if (!in_prefix && program_.subschemas[rules.rest].never) {
        valid = fail(&step, rules.rest_keyword, "There may be {} elements only.", rules.prefix.size());
      } else {
        valid = check(in_prefix ? rules.prefix[index] : rules.rest, JsonInstance(item), {&step, nullptr, site.scope}) &&
                valid;
      }
      if (site.evaluated != nullptr) site.evaluated->set(index);
      if (!go_on(valid)) return false;
      ++index;
    }
    if (rules.contains != kNoSubschema) valid = check_contains(rules, array, site) && valid;
    return valid;
  }

  bool check_contains(const ArrayRules& rules, simdjson::dom::array array, const Site& site) {
    std::uint64_t matches = 0;
    std::size_t index = 0;
    {
      const Quiet quiet(*this);
      const bool counts_all =
          site.evaluated != nullptr || rules.matches.most != std::numeric_limits<std::uint64_t>::max();
      for (const simdjson::dom::element item : array) {
        if (!counts_all && matches >= rules.matches.least) break;
        if (check(rules.contains, JsonInstance(item), {nullptr, nullptr, site.scope})) {
          ++matches;
          if (site.evaluated != nullptr) site.evaluated->set(index);
        }
        if (stopped()) return false;
        ++index;
      }
    }
    if (matches < rules.matches.least) {
      const bool counted = rules.matches.least > 1;
      return fail(site.path, counted ? "minContains" : "contains", "It has {} elements of a kind, less than {}.",
                  matches, rules.matches.least);
    }
    if (matches > rules.matches.most) {
      return fail(site.path, "maxContains", "It has {} elements of a kind, more than {}.", matches, rules.matches.most);
    }
    return true;
  }

  bool check_object(const ObjectRules& rules, const JsonInstance& instance, const Site& site) {
    const simdjson::dom::object object = object_in(instance.element());
    const std::size_t size = object.size();
    bool valid = true;
    if (size < rules.members.least) {
      valid = fail(site.path, "minProperties", "It has {} properties, less than {}.", size, rules.members.least);
    }
    if (size > rules.members.most) {
      valid = fail(site.path, "maxProperties", "It has {} properties, more than {}.", size, rules.members.most);
    }
    if (!rules.walks || !go_on(valid)) return valid;

    if (!work_.spend(rules.names.size() / 64)) return false;
    BitSet seen(rules.names.size());
    std::size_t ordinal = 0;
    for (const auto& [name, value] : object) {
      const PathStep step{site.path, name, 0, true};
      valid =
          check_member(rules, name, JsonInstance(value), {&step, site.evaluated, site.scope}, ordinal, seen) && valid;
      if (!go_on(valid)) return false;
      ++ordinal;
    }
    if (!work_.spend(rules.required.size() / 8)) return false;
    for (const std::uint32_t slot : rules.required) {
      if (seen.has(slot)) continue;
      valid = fail(site.path, "required", "It has no \"{}\".", shown(rules.names.name(slot)));
      if (!go_on(valid)) return false;
    }
    return rules.dependencies.empty() ? valid : check_dependencies(rules, instance, site, seen) && valid;
  }

  bool check_member(const ObjectRules& rules, std::string_view name, const JsonInstance& value, const Site& site,
                    std::size_t ordinal, BitSet& seen) {
    if (!work_.spend(1 + name.size() / 64)) return false;
    const Site inner{site.path, nullptr, site.scope};
    bool valid = true;
    bool known = false;
    if (const auto slot = rules.names.find(name)) {
      seen.set(*slot);
      if (rules.properties[*slot] != kNoSubschema) {
        known = true;
        valid = check(rules.properties[*slot], value, inner);
      }
    }
    for (const auto& [pattern, schema] : rules.patterns) {
      if (!go_on(valid)) return false;
      if (!pattern->found_in(name, work_)) continue;
      known = true;
      valid = check(schema, value, inner) && valid;
    }
    if (!known && rules.additional != kNoSubschema && go_on(valid)) {
      known = true;
      if (program_.subschemas[rules.additional].never) {
        valid = fail(site.path, "additionalProperties", "There is no such property.");
      } else {
        valid = check(rules.additional, value, inner) && valid;
      }
    }
    if (rules.member_names != kNoSubschema && go_on(valid) &&
        !satisfied(rules.member_names, JsonInstance(name), inner) && !stopped()) {
      valid = fail(site.path, "propertyNames", "No property may have this name.");
    }
    if (known && site.evaluated != nullptr) site.evaluated->set(ordinal);
    return valid;
  }

  bool check_dependencies(const ObjectRules& rules, const JsonInstance& instance, const Site& site,
                          const BitSet& seen) {
    bool valid = true;
    for (const ObjectRules::Dependency& dependency : rules.dependencies) {
      if (!work_.spend(1 + dependency.required.size() / 8)) return false;
      if (!seen.has(dependency.slot)) continue;
      for (const std::uint32_t slot : dependency.required) {
        if (seen.has(slot)) continue;
        valid = fail(site.path, dependency.keyword, "It has \"{}\" but no \"{}\".",
                     shown(rules.names.name(dependency.slot)), shown(rules.names.name(slot)));
        if (!go_on(valid)) return false;
      }
      if (dependency.schema != kNoSubschema) valid = check(dependency.schema, instance, site) && valid;
      if (!go_on(valid)) return false;
    }
    return valid;
  }

  /// Whether a subschema is satisfied; what it has evaluated counts only then.
  bool satisfied(SubschemaId id, const JsonInstance& instance, const Site& site) {
    const Quiet quiet(*this);
    if (site.evaluated == nullptr) return check(id, instance, {nullptr, nullptr, site.scope});
    const std::size_t members = members_in(instance);
    if (!work_.spend(members / 64)) return false;
    BitSet evaluated(members);
    if (!check(id, instance, {nullptr, &evaluated, site.scope})) return false;
    site.evaluated->add(evaluated);
    return true;
  }

  bool check_applicators(const Applicators& rules, const JsonInstance& instance, const Site& site) {
    bool valid = true;
    const auto demand = [&](SubschemaId id) {
      if (id != kNoSubschema && go_on(valid)) valid = check(id, instance, site) && valid;
    };
    demand(rules.reference);
    if (rules.dynamic_reference) demand(goal_of(*rules.dynamic_reference, site.scope));
    for (const SubschemaId id : rules.all_of) demand(id);
    if (!rules.any_of.empty() && go_on(valid)) valid = check_any_of(rules, instance, site) && valid;
    if (!rules.one_of.empty() && go_on(valid)) valid = check_one_of(rules, instance, site) && valid;
    if (rules.negated != kNoSubschema && go_on(valid)) {
      if (satisfied(rules.negated, instance, {site.path, nullptr, site.scope}) && !stopped()) {
        valid = fail(site.path, "not", "It is what it must not be.");
      }
    }
    if (rules.condition != kNoSubschema && go_on(valid)) {
      const bool met = satisfied(rules.condition, instance, site);
      demand(met ? rules.then : rules.otherwise);
    }
    return valid && !stopped();
  }

  bool check_any_of(const Applicators& rules, const JsonInstance& instance, const Site& site) {
    if (rules.any_of.size() == 1) return check(rules.any_of.front(), instance, site);
    bool any = false;
    for (const SubschemaId id : rules.any_of) {
      any = satisfied(id, instance, site) || any;
      if (stopped()) return false;
      if (any && site.evaluated == nullptr) return true;
    }
    return any || fail(site.path, "anyOf", "It satisfies none of the {} alternatives.", rules.any_of.size());
  }

  bool check_one_of(const Applicators& rules, const JsonInstance& instance, const Site& site) {
    if (rules.one_of.size() == 1) return check(rules.one_of.front(), instance, site);
    std::size_t satisfied_ones = 0;
    for (const SubschemaId id : rules.one_of) {
      if (satisfied(id, instance, site)) ++satisfied_ones;
      if (stopped()) return false;
      if (satisfied_ones > 1) return fail(site.path, "oneOf", "It satisfies more than one of the alternatives.");
    }
    if (satisfied_ones == 1) return true;
    return fail(site.path, "oneOf", "It satisfies none of the {} alternatives.", rules.one_of.size());
  }

  /// The outermost document with that anchor decides.
  SubschemaId goal_of(const DynamicReference& reference, const DynamicScope* scope) {
    SubschemaId goal = reference.initial;
    if (reference.anchor.empty()) return goal;
    for (; scope != nullptr && work_.spend(1); scope = scope->parent) {
      const auto found = program_.dynamic_anchors.find({scope->resource, reference.anchor});
      if (found != program_.dynamic_anchors.end()) goal = found->second;
    }
    return goal;
  }

  bool check_unevaluated(const Subschema& s, const JsonInstance& instance, const Site& site) {
    bool valid = true;
    std::size_t ordinal = 0;
    const auto one = [&](SubschemaId id, const JsonInstance& value, const PathStep& step, std::string_view keyword) {
      if (!work_.spend(1)) return false;
      if (!site.evaluated->has(ordinal)) {
        site.evaluated->set(ordinal);
        if (program_.subschemas[id].never) {
          valid = fail(&step, keyword, "No schema here knows it.");
        } else {
          valid = check(id, value, {&step, nullptr, site.scope}) && valid;
        }
      }
      ++ordinal;
      return go_on(valid);
    };
    if (instance.type() == element_type::OBJECT && s.objects && s.objects->unevaluated != kNoSubschema) {
      for (const auto& [name, value] : object_in(instance.element())) {
        const PathStep step{site.path, name, 0, true};
        if (!one(s.objects->unevaluated, JsonInstance(value), step, "unevaluatedProperties")) return false;
      }
    }
    if (instance.type() == element_type::ARRAY && s.arrays && s.arrays->unevaluated != kNoSubschema) {
      for (const simdjson::dom::element value : array_in(instance.element())) {
        const PathStep step{site.path, {}, ordinal, false};
        if (!one(s.arrays->unevaluated, JsonInstance(value), step, "unevaluatedItems")) return false;
      }
    }
    return valid;
  }

  const SchemaProgram& program_;
  std::size_t violations_max_;
  const std::uint64_t work_max_;
  WorkBudget work_{work_max_};
  std::vector<SchemaViolation> violations_;
  std::size_t quiet_ = 0;
  std::size_t depth_ = 0;
  bool stopped_ = false;
  bool too_deep_ = false;
};

}  // namespace

SchemaVerdict validate(const CompiledSchema& schema, simdjson::dom::element instance, const ValidationLimits& limits) {
  return Validation(schema.program(), limits).run(instance);
}

}  // namespace stele::api
