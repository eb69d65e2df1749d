#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <unordered_map>

#include "api/json/json_diagnosis.h"
#include "api/json/json_text.h"
#include "api/schemas/compiled_schema.h"
#include "api/schemas/schema_keyword.h"
#include "api/schemas/schema_places.h"
#include "api/schemas/schema_program.h"
#include "engine/base/check.h"

namespace stele::api {

namespace {

using simdjson::dom::element;
using Tokens = std::initializer_list<std::string_view>;

/// Names that come twice in an object, anywhere in the document: which of the two counts would be anybody's guess.
void refuse_repeated_names(element value, std::vector<std::string>& path) {
  if (value.is_array()) {
    std::size_t index = 0;
    for (const element item : array_in(value)) {
      path.push_back(std::to_string(index++));
      refuse_repeated_names(item, path);
      path.pop_back();
    }
  }
  if (!value.is_object()) return;
  std::vector<std::string_view> names;
  for (const auto& [name, member] : object_in(value)) {
    names.push_back(name);
    if (!member.is_object() && !member.is_array()) continue;
    path.emplace_back(name);
    refuse_repeated_names(member, path);
    path.pop_back();
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return;
  SchemaError error{"", "The object has this name twice."};
  for (const std::string& token : path) append_pointer_token(error.pointer, token);
  append_pointer_token(error.pointer, *twice);
  throw SchemaErrorFound{std::move(error)};
}

std::optional<SchemaDraft> draft_named(std::string_view uri) {
  if (uri.ends_with('#')) uri.remove_suffix(1);
  if (uri == "http://json-schema.org/draft-07/schema" || uri == "https://json-schema.org/draft-07/schema") {
    return SchemaDraft::Draft07;
  }
  if (uri == "https://json-schema.org/draft/2020-12/schema") return SchemaDraft::Draft202012;
  return std::nullopt;
}

SchemaDraft draft_of(element root) {
  element name;
  if (!root.is_object() || root.at_key("$schema").get(name) != simdjson::SUCCESS) return SchemaDraft::Draft07;
  std::string_view uri;
  if (name.get_string().get(uri) != simdjson::SUCCESS) throw SchemaErrorFound{{"/$schema", "It must be a string."}};
  const auto draft = draft_named(uri);
  if (!draft) {
    throw SchemaErrorFound{{"/$schema",
                            "Only draft-07 (http://json-schema.org/draft-07/schema#) and 2020-12 "
                            "(https://json-schema.org/draft/2020-12/schema) are known here."}};
  }
  return *draft;
}

template <class Rules>
Rules& made(std::unique_ptr<Rules>& rules) {
  if (!rules) rules = std::make_unique<Rules>();
  return *rules;
}

class SchemaCompiler {
 public:
  SchemaCompiler(element root, SchemaProgram& program)
      : program_(program), draft_(program.draft), places_(root, program.draft) {}

  void run() {
    program_.subschemas.resize(2);
    program_.subschemas[kFalseSubschema].never = true;
    program_.root = id_of(SchemaPlaces::root());
    // Also what nothing leads to must be in order, and each reference may add places.
    for (PlaceId place = 0; place < places_.size(); ++place) {
      if (places_.is_subschema(place)) (void)id_of(place);
      for (; !queue_.empty(); queue_.pop_front()) compile(queue_.front());
    }
    for (std::uint32_t resource = 0; has_dynamic_reference_ && resource < places_.resources().size(); ++resource) {
      for (const auto& [anchor, place] : places_.resources()[resource].dynamic_anchors) {
        program_.dynamic_anchors.emplace(std::make_pair(resource, anchor), id_of(place));
      }
    }
    refuse_endless_recursion();
    program_.ignored_keywords.assign(ignored_.begin(), ignored_.end());
  }

 private:
  static constexpr SubschemaId kBeingFound = kNoSubschema - 1;

  /// One subschema while it is compiled.
  struct Parts {
    PlaceId place;
    simdjson::dom::object schema;
    std::unique_ptr<NumberRules> numbers{};
    std::unique_ptr<StringRules> strings{};
    std::unique_ptr<ArrayRules> arrays{};
    std::unique_ptr<ObjectRules> objects{};
    std::unique_ptr<Applicators> applicators{};
  };

  [[nodiscard]] SubschemaId known(PlaceId place) const { return place < ids_.size() ? ids_[place] : kNoSubschema; }
  void know(PlaceId place, SubschemaId id) {
    if (place >= ids_.size()) ids_.resize(places_.size(), kNoSubschema);
    ids_[place] = id;
  }

  /// The subschema at a place, which is compiled later. What only refers to another is that other one in draft-07.
  SubschemaId id_of(PlaceId place) {
    std::vector<PlaceId> references;
    while (known(place) == kNoSubschema) {
      const element value = places_.element(place);
      if (value.is_bool()) {
        know(place, value.get_bool().value_unsafe() ? kTrueSubschema : kFalseSubschema);
        break;
      }
      element reference;
      if (draft_ == SchemaDraft::Draft07 && value.at_key("$ref").get(reference) == simdjson::SUCCESS) {
        know(place, kBeingFound);
        references.push_back(place);
        place = places_.resolve(place, "$ref", text_of(place, {"$ref"}, reference)).place;
        continue;
      }
      const auto id = static_cast<SubschemaId>(program_.subschemas.size());
      program_.subschemas.emplace_back();
      places_of_ids_.emplace(id, place);
      know(place, id);
      queue_.push_back(id);
    }
    if (known(place) == kBeingFound) places_.fail(place, {"$ref"}, "It leads back to itself.");
    for (const PlaceId from : references) know(from, known(place));
    return known(place);
  }

  std::string_view text_of(PlaceId place, Tokens at, element value) const {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) places_.fail(place, at, "It must be a string.");
    return text;
  }
  bool bool_of(PlaceId place, Tokens at, element value) const {
    bool flag = false;
    if (value.get_bool().get(flag) != simdjson::SUCCESS) places_.fail(place, at, "It must be true or false.");
    return flag;
  }
  JsonNumber number_of(PlaceId place, Tokens at, element value) const {
    const auto number = JsonNumber::of(value);
    if (!number) places_.fail(place, at, "It must be a number.");
    return *number;
  }
  std::uint64_t count_of(PlaceId place, Tokens at, element value) const {
    const auto number = JsonNumber::of(value);
    const auto count = number ? number->count() : std::nullopt;
    if (!count) places_.fail(place, at, "It must be a whole number, 0 or more.");
    return *count;
  }
  simdjson::dom::array array_of(PlaceId place, Tokens at, element value) const {
    simdjson::dom::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) places_.fail(place, at, "It must be an array.");
    return array;
  }
  simdjson::dom::object object_of(PlaceId place, Tokens at, element value) const {
    simdjson::dom::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) places_.fail(place, at, "It must be an object.");
    return object;
  }

  std::vector<std::string_view> names_of(PlaceId place, Tokens at, element value) const {
    std::vector<std::string_view> names;
    for (const element item : array_of(place, at, value)) {
      if (!item.is_string()) places_.fail(place, at, "It must be an array of strings.");
      names.push_back(item.get_string().value_unsafe());
    }
    std::vector<std::string_view> sorted = names;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      places_.fail(place, at, "It has the same string twice.");
    }
    return names;
  }

  std::uint8_t types_of(PlaceId place, element value) const {
    const auto one = [&](element name) {
      const std::uint8_t type = schema_type_bits(text_of(place, {"type"}, name));
      if (type == 0) {
        places_.fail(place, {"type"}, "A type is null, boolean, integer, number, string, array or object.");
      }
      return type;
    };
    if (!value.is_array()) return one(value);
    std::uint8_t types = 0;
    for (const std::string_view name : names_of(place, {"type"}, value)) (void)name;
    for (const element name : array_in(value)) types |= one(name);
    if (types == 0) places_.fail(place, {"type"}, "It must have at least one type.");
    return types;
  }

  std::shared_ptr<const EcmaPattern> pattern_of(PlaceId place, Tokens at, std::string_view source) {
    const auto known_pattern = patterns_.find(source);
    if (known_pattern != patterns_.end()) return known_pattern->second;
    auto compiled = EcmaPattern::compile(source);
    if (const auto* const why = std::get_if<std::string>(&compiled)) places_.fail(place, at, *why);
    auto pattern = std::get<std::shared_ptr<const EcmaPattern>>(std::move(compiled));
    program_.pattern_bytes += pattern->memory_max();
    if (program_.pattern_bytes > kSchemaPatternBytesMax) {
      places_.fail(place, at, "The schema has too many patterns: at most 1024, or fewer large ones.");
    }
    patterns_.emplace(source, pattern);
    return pattern;
  }

  std::vector<SubschemaId> several(PlaceId place, std::string_view keyword, element value) {
    std::vector<SubschemaId> ids;
    std::size_t index = 0;
    for ([[maybe_unused]] const element item : array_of(place, {keyword}, value)) {
      ids.push_back(id_of(places_.below(place, keyword, index++)));
    }
    return ids;
  }
  std::vector<SubschemaId> one_or_more(PlaceId place, std::string_view keyword, element value) {
    std::vector<SubschemaId> ids = several(place, keyword, value);
    if (ids.empty()) places_.fail(place, {keyword}, "It must have at least one schema.");
    return ids;
  }
  SubschemaId one(PlaceId place, std::string_view keyword) { return id_of(places_.below(place, keyword)); }

  void ignore(std::string keyword) {
    constexpr std::size_t kNameBytesMax = 100;
    if (ignored_.size() < kIgnoredKeywordsMax && keyword.size() <= kNameBytesMax) ignored_.insert(std::move(keyword));
  }

  void compile(SubschemaId id) {
    const PlaceId place = places_of_ids_.at(id);
    Subschema subschema;
    subschema.resource = places_.resource(place);
    Parts parts{place, object_in(places_.element(place))};
    for (const auto& [name, value] : parts.schema) keyword(subschema, parts, name, value);
    if (parts.objects) finish_object(*parts.objects);
    subschema.numbers = std::move(parts.numbers);
    subschema.strings = std::move(parts.strings);
    subschema.arrays = std::move(parts.arrays);
    subschema.objects = std::move(parts.objects);
    subschema.applicators = std::move(parts.applicators);
    program_.subschemas[id] = std::move(subschema);
  }

  static void finish_object(ObjectRules& rules) {
    rules.properties.resize(rules.names.size(), kNoSubschema);
    rules.walks = rules.names.size() > 0 || !rules.patterns.empty() || rules.additional != kNoSubschema ||
                  rules.member_names != kNoSubschema;
  }

  void keyword(Subschema& subschema, Parts& parts, std::string_view name, element value) {
    const PlaceId place = parts.place;
    switch (find_schema_keyword(name, draft_).keyword) {
      case SchemaKeyword::Unknown:
        return ignore(std::string(name));
      case SchemaKeyword::Annotation:
      case SchemaKeyword::Id:
      case SchemaKeyword::Anchor:
      case SchemaKeyword::DynamicAnchor:
        return;
      case SchemaKeyword::Schema:
        if (draft_named(text_of(place, {name}, value)) != draft_) {
          places_.fail(place, {name}, "A subschema must be of the same draft as the whole.");
        }
        return;
      case SchemaKeyword::Ref:
        made(parts.applicators).reference = id_of(places_.resolve(place, name, text_of(place, {name}, value)).place);
        return;
      case SchemaKeyword::DynamicRef: {
        SchemaPlaces::Target target = places_.resolve(place, name, text_of(place, {name}, value));
        made(parts.applicators).dynamic_reference =
            DynamicReference{id_of(target.place), std::move(target.dynamic_anchor)};
        has_dynamic_reference_ = true;
        return;
      }
      case SchemaKeyword::Type:
        subschema.types = types_of(place, value);
        return;
      case SchemaKeyword::Enum: {
        const simdjson::dom::array values = array_of(place, {name}, value);
        subschema.values = std::make_unique<const JsonValueSet>(std::vector<element>(values.begin(), values.end()));
        return;
      }
      case SchemaKeyword::Const:
        subschema.constant = std::make_unique<const JsonValueSet>(std::vector<element>{value});
        return;
      case SchemaKeyword::MultipleOf:
        made(parts.numbers).multiple_of = Divisor::of(number_of(place, {name}, value));
        if (!parts.numbers->multiple_of) places_.fail(place, {name}, "It must be greater than 0.");
        return;
      case SchemaKeyword::Maximum:
        made(parts.numbers).maximum = number_of(place, {name}, value);
        return;
      case SchemaKeyword::ExclusiveMaximum:
        made(parts.numbers).exclusive_maximum = number_of(place, {name}, value);
        return;
      case SchemaKeyword::Minimum:
        made(parts.numbers).minimum = number_of(place, {name}, value);
        return;
      case SchemaKeyword::ExclusiveMinimum:
        made(parts.numbers).exclusive_minimum = number_of(place, {name}, value);
        return;
      case SchemaKeyword::MaxLength:
        made(parts.strings).length.most = count_of(place, {name}, value);
        return;
      case SchemaKeyword::MinLength:
        made(parts.strings).length.least = count_of(place, {name}, value);
        return;
      case SchemaKeyword::Pattern:
        made(parts.strings).pattern = pattern_of(place, {name}, text_of(place, {name}, value));
        return;
      case SchemaKeyword::Format: {
        const std::string_view format = text_of(place, {name}, value);
        const FormatScanner scanner = find_format(format);
        if (scanner == nullptr) return ignore("format: " + std::string(format));
        made(parts.strings).format = scanner;
        parts.strings->format_name = format;
        return;
      }
      default:
        if (!array_keyword(parts, name, value) && !object_keyword(parts, name, value)) applicator(parts, name, value);
    }
  }

  bool array_keyword(Parts& parts, std::string_view name, element value) {
    const PlaceId place = parts.place;
    switch (find_schema_keyword(name, draft_).keyword) {
      case SchemaKeyword::MaxItems:
        made(parts.arrays).items.most = count_of(place, {name}, value);
        return true;
      case SchemaKeyword::MinItems:
        made(parts.arrays).items.least = count_of(place, {name}, value);
        return true;
      case SchemaKeyword::UniqueItems:
        made(parts.arrays).unique = bool_of(place, {name}, value);
        return true;
      case SchemaKeyword::Items:
        if (draft_ == SchemaDraft::Draft07 && value.is_array()) {
          made(parts.arrays).prefix = several(place, name, value);
        } else {
          made(parts.arrays).rest = one(place, name);
          parts.arrays->rest_keyword = "items";
        }
        return true;
      case SchemaKeyword::PrefixItems:
        made(parts.arrays).prefix = one_or_more(place, name, value);
        return true;
      case SchemaKeyword::AdditionalItems: {
        const SubschemaId id = one(place, name);
        element items;
        if (parts.schema.at_key("items").get(items) != simdjson::SUCCESS || !items.is_array()) return true;
        made(parts.arrays).rest = id;
        parts.arrays->rest_keyword = "additionalItems";
        return true;
      }
      case SchemaKeyword::Contains:
        made(parts.arrays).contains = one(place, name);
        return true;
      case SchemaKeyword::MaxContains:
        made(parts.arrays).matches.most = count_of(place, {name}, value);
        return true;
      case SchemaKeyword::MinContains:
        made(parts.arrays).matches.least = count_of(place, {name}, value);
        return true;
      case SchemaKeyword::UnevaluatedItems:
        made(parts.arrays).unevaluated = one(place, name);
        return true;
      default:
        return false;
    }
  }

  bool object_keyword(Parts& parts, std::string_view name, element value) {
    const PlaceId place = parts.place;
    switch (find_schema_keyword(name, draft_).keyword) {
      case SchemaKeyword::MaxProperties:
        made(parts.objects).members.most = count_of(place, {name}, value);
        return true;
      case SchemaKeyword::MinProperties:
        made(parts.objects).members.least = count_of(place, {name}, value);
        return true;
      case SchemaKeyword::Required:
        for (const std::string_view member : names_of(place, {name}, value)) {
          made(parts.objects).required.push_back(parts.objects->names.add(member));
        }
        return true;
      case SchemaKeyword::Properties:
        for (const auto& [member, schema] : object_of(place, {name}, value)) {
          const std::uint32_t slot = made(parts.objects).names.add(member);
          if (parts.objects->properties.size() <= slot) parts.objects->properties.resize(slot + 1, kNoSubschema);
          parts.objects->properties[slot] = id_of(places_.below(place, name, member));
        }
        return true;
      case SchemaKeyword::PatternProperties:
        for (const auto& [source, schema] : object_of(place, {name}, value)) {
          auto pattern = pattern_of(place, {name, source}, source);
          made(parts.objects).patterns.emplace_back(std::move(pattern), id_of(places_.below(place, name, source)));
        }
        return true;
      case SchemaKeyword::AdditionalProperties:
        made(parts.objects).additional = one(place, name);
        return true;
      case SchemaKeyword::PropertyNames:
        made(parts.objects).member_names = one(place, name);
        return true;
      case SchemaKeyword::Dependencies:
      case SchemaKeyword::DependentRequired:
      case SchemaKeyword::DependentSchemas:
        dependencies(parts, name, value);
        return true;
      case SchemaKeyword::UnevaluatedProperties:
        made(parts.objects).unevaluated = one(place, name);
        return true;
      default:
        return false;
    }
  }

  void dependencies(Parts& parts, std::string_view name, element value) {
    const PlaceId place = parts.place;
    ObjectRules& rules = made(parts.objects);
    for (const auto& [member, what] : object_of(place, {name}, value)) {
      ObjectRules::Dependency dependency{rules.names.add(member), {}, kNoSubschema, {}};
      if (name == "dependentRequired" || (name == "dependencies" && what.is_array())) {
        for (const std::string_view needed : names_of(place, {name, member}, what)) {
          dependency.required.push_back(rules.names.add(needed));
        }
      } else {
        dependency.schema = id_of(places_.below(place, name, member));
      }
      dependency.keyword = name == "dependencies"        ? "dependencies"
                           : name == "dependentRequired" ? "dependentRequired"
                                                         : "dependentSchemas";
      rules.dependencies.push_back(std::move(dependency));
    }
  }

  void applicator(Parts& parts, std::string_view name, element value) {
    const PlaceId place = parts.place;
    Applicators& applicators = made(parts.applicators);
    switch (find_schema_keyword(name, draft_).keyword) {
      case SchemaKeyword::AllOf:
        applicators.all_of = one_or_more(place, name, value);
        return;
      case SchemaKeyword::AnyOf:
        applicators.any_of = one_or_more(place, name, value);
        return;
      case SchemaKeyword::OneOf:
        applicators.one_of = one_or_more(place, name, value);
        return;
      case SchemaKeyword::Not:
        applicators.negated = one(place, name);
        return;
      case SchemaKeyword::If:
        applicators.condition = one(place, name);
        return;
      case SchemaKeyword::Then:
        applicators.then = one(place, name);
        return;
      case SchemaKeyword::Else:
        applicators.otherwise = one(place, name);
        return;
      default:
        STELE_CHECK(false);
    }
  }

  /// The subschemas that look at the same value as `id` does.
  [[nodiscard]] std::vector<SubschemaId> beside(SubschemaId id) const {
    const Subschema& subschema = program_.subschemas[id];
    std::vector<SubschemaId> ids;
    if (const Applicators* const a = subschema.applicators.get()) {
      ids = {a->reference, a->negated, a->condition, a->then, a->otherwise};
      for (const auto* const list : {&a->all_of, &a->any_of, &a->one_of})
        ids.insert(ids.end(), list->begin(), list->end());
    }
    if (subschema.objects) {
      for (const ObjectRules::Dependency& dependency : subschema.objects->dependencies)
        ids.push_back(dependency.schema);
    }
    std::erase(ids, kNoSubschema);
    return ids;
  }

  /// A subschema that comes back to itself for the same value would never end. (Where a dynamic reference leads is not
  /// known yet; the depth of the validation bounds that.)
  void refuse_endless_recursion() const {
    enum class Colour : std::uint8_t { White, Grey, Black };
    struct Visit {
      SubschemaId id;
      std::vector<SubschemaId> next;
    };
    std::vector<Colour> colours(program_.subschemas.size(), Colour::White);
    for (SubschemaId start = 0; start < colours.size(); ++start) {
      if (colours[start] != Colour::White) continue;
      std::vector<Visit> path;
      path.push_back({start, beside(start)});
      colours[start] = Colour::Grey;
      while (!path.empty()) {
        if (path.back().next.empty()) {
          colours[path.back().id] = Colour::Black;
          path.pop_back();
          continue;
        }
        const SubschemaId next = path.back().next.back();
        path.back().next.pop_back();
        if (colours[next] == Colour::Grey) {
          places_.fail(places_of_ids_.at(next), {},
                       "This schema leads back to itself for the same value, without end.");
        }
        if (colours[next] == Colour::Black) continue;
        colours[next] = Colour::Grey;
        path.push_back({next, beside(next)});
      }
    }
  }

  SchemaProgram& program_;
  SchemaDraft draft_;
  SchemaPlaces places_;
  std::vector<SubschemaId> ids_;  ///< by place
  std::unordered_map<SubschemaId, PlaceId> places_of_ids_;
  std::deque<SubschemaId> queue_;
  std::map<std::string, std::shared_ptr<const EcmaPattern>, std::less<>> patterns_;
  std::set<std::string> ignored_;
  bool has_dynamic_reference_ = false;
};

SchemaError fault_of_text(std::string_view json) {
  const JsonDiagnosis diagnosis = diagnose_json(json);
  if (diagnosis.broken) {
    return {"", fmt::format("This is no JSON: {} (byte {})", diagnosis.broken->detail, diagnosis.broken->offset)};
  }
  if (!diagnosis.values.empty()) return {diagnosis.values.front().pointer, diagnosis.values.front().detail};
  return {"", "This is no JSON."};
}

}  // namespace

CompiledSchema::CompiledSchema(std::unique_ptr<const SchemaProgram> program) : program_(std::move(program)) {}
CompiledSchema::~CompiledSchema() = default;
SchemaDraft CompiledSchema::draft() const { return program_->draft; }
const std::vector<std::string>& CompiledSchema::ignored_keywords() const { return program_->ignored_keywords; }

std::size_t CompiledSchema::memory_max() const {
  constexpr std::size_t kDocumentBytesAByte = 10;  // simdjson sets aside what the worst text would need
  constexpr std::size_t kBytesASubschema = sizeof(Subschema) + 256;
  return program_->text_bytes * kDocumentBytesAByte + program_->subschemas.size() * kBytesASubschema +
         program_->pattern_bytes;
}

std::variant<std::shared_ptr<const CompiledSchema>, SchemaError> compile_schema(std::string_view json) {
  if (json.size() > kSchemaBytesMax) {
    return SchemaError{"", fmt::format("The schema is larger than {} bytes.", kSchemaBytesMax)};
  }
  auto program = std::make_unique<SchemaProgram>();
  simdjson::dom::parser parser;
  element root;
  // Of nothing there need not even be an address, which the parser wants.
  if (json.empty() ||
      parser.parse_into_document(program->document, json.data(), json.size(), true).get(root) != simdjson::SUCCESS) {
    return fault_of_text(json);
  }
  try {
    std::vector<std::string> path;
    refuse_repeated_names(root, path);
    program->draft = draft_of(root);
    program->text_bytes = json.size();
    SchemaCompiler(root, *program).run();
  } catch (const SchemaErrorFound& found) {
    return found.error;
  }
  return std::make_shared<const CompiledSchema>(std::move(program));
}

}  // namespace stele::api
