#include "api/schemas/schema_keyword.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/schemas/schema_program.h"

namespace stele::api {

namespace {

enum Drafts : std::uint8_t { kDraft07 = 1, kDraft202012 = 2, kBothDrafts = 3 };

struct KeywordLine {
  std::string_view name;
  SchemaKeyword keyword;
  SchemaHolds holds = SchemaHolds::None;
  Drafts drafts = kBothDrafts;
};

using K = SchemaKeyword;
using H = SchemaHolds;

constexpr std::array kKeywordLines = std::to_array<KeywordLine>({
    {"$anchor", K::Anchor, H::None, kDraft202012},
    {"$comment", K::Annotation},
    {"$defs", K::Annotation, H::Named},
    {"$dynamicAnchor", K::DynamicAnchor, H::None, kDraft202012},
    {"$dynamicRef", K::DynamicRef, H::None, kDraft202012},
    {"$id", K::Id},
    {"$ref", K::Ref},
    {"$schema", K::Schema},
    {"$vocabulary", K::Annotation, H::None, kDraft202012},
    {"additionalItems", K::AdditionalItems, H::One, kDraft07},
    {"additionalProperties", K::AdditionalProperties, H::One},
    {"allOf", K::AllOf, H::Several},
    {"anyOf", K::AnyOf, H::Several},
    {"const", K::Const},
    {"contains", K::Contains, H::One},
    {"contentEncoding", K::Annotation},
    {"contentMediaType", K::Annotation},
    {"contentSchema", K::Annotation, H::One, kDraft202012},
    {"default", K::Annotation},
    {"definitions", K::Annotation, H::Named},
    {"dependencies", K::Dependencies, H::NamedOrNames},
    {"dependentRequired", K::DependentRequired, H::None, kDraft202012},
    {"dependentSchemas", K::DependentSchemas, H::Named, kDraft202012},
    {"deprecated", K::Annotation},
    {"description", K::Annotation},
    {"else", K::Else, H::One},
    {"enum", K::Enum},
    {"examples", K::Annotation},
    {"exclusiveMaximum", K::ExclusiveMaximum},
    {"exclusiveMinimum", K::ExclusiveMinimum},
    {"format", K::Format},
    {"if", K::If, H::One},
    {"items", K::Items, H::OneOrArray, kDraft07},
    {"items", K::Items, H::One, kDraft202012},
    {"maxContains", K::MaxContains, H::None, kDraft202012},
    {"maxItems", K::MaxItems},
    {"maxLength", K::MaxLength},
    {"maxProperties", K::MaxProperties},
    {"maximum", K::Maximum},
    {"minContains", K::MinContains, H::None, kDraft202012},
    {"minItems", K::MinItems},
    {"minLength", K::MinLength},
    {"minProperties", K::MinProperties},
    {"minimum", K::Minimum},
    {"multipleOf", K::MultipleOf},
    {"not", K::Not, H::One},
    {"oneOf", K::OneOf, H::Several},
    {"pattern", K::Pattern},
    {"patternProperties", K::PatternProperties, H::Named},
    {"prefixItems", K::PrefixItems, H::Several, kDraft202012},
    {"properties", K::Properties, H::Named},
    {"propertyNames", K::PropertyNames, H::One},
    {"readOnly", K::Annotation},
    {"required", K::Required},
    {"then", K::Then, H::One},
    {"title", K::Annotation},
    {"type", K::Type},
    {"unevaluatedItems", K::UnevaluatedItems, H::One, kDraft202012},
    {"unevaluatedProperties", K::UnevaluatedProperties, H::One, kDraft202012},
    {"uniqueItems", K::UniqueItems},
    {"writeOnly", K::Annotation},
});

static_assert(std::is_sorted(kKeywordLines.begin(), kKeywordLines.end(),
                             [](const KeywordLine& a, const KeywordLine& b) { return a.name < b.name; }));

}  // namespace

SchemaKeywordInfo find_schema_keyword(std::string_view name, SchemaDraft draft) {
  const Drafts wanted = draft == SchemaDraft::Draft07 ? kDraft07 : kDraft202012;
  const auto* line = std::lower_bound(kKeywordLines.begin(), kKeywordLines.end(), name,
                                      [](const KeywordLine& a, std::string_view b) { return a.name < b; });
  for (; line != kKeywordLines.end() && line->name == name; ++line) {
    if ((line->drafts & wanted) != 0) return {line->keyword, line->holds};
  }
  return {};
}

std::uint8_t schema_type_bits(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, std::uint8_t>, 7> kTypes{{
      {"null", kNullType},
      {"boolean", kBooleanType},
      {"integer", kIntegerType},
      {"number", kNumberType | kIntegerType},
      {"string", kStringType},
      {"array", kArrayType},
      {"object", kObjectType},
  }};
  const auto* const found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& each) { return each.first == type; });
  return found == kTypes.end() ? 0 : found->second;
}

}  // namespace stele::api
