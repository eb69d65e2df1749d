// Two schemas, and whether what satisfies the one satisfies the other, either way and under both policies: what every
// mode of compatibility is made of.
//
// Input: JSON texts, one a line; the first two are the schemas, the others are instances.

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/schemas/compiled_schema.h"
#include "api/schemas/schema_change.h"
#include "api/schemas/schema_validation.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

constexpr std::uint64_t kChangeWork = 1'000'000;
constexpr ValidationLimits kInstanceLimits{200'000, 1};

std::vector<std::string> schema_change_seeds() {
  return {
      R"({"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":1}},)"
      R"("additionalProperties":false})"
      "\n"
      R"({"type":"object","properties":{"a":{"type":"number","exclusiveMinimum":0},"b":{"default":1}},)"
      R"("required":["b"]})"
      "\n{\"a\":1}\n{\"a\":0}\n{\"b\":1}\n[]",
      R"({"anyOf":[{"const":1},{"type":"string","maxLength":2}],"not":{"enum":["x",2]}})"
      "\n"
      R"({"oneOf":[{"type":["integer","null"]},{"type":"string"}],"not":{"const":"x"}})"
      "\n1\n\"ab\"\n\"x\"\nnull",
      R"({"definitions":{"n":{"properties":{"n":{"$ref":"#/definitions/n"},"v":{"multipleOf":0.5}}}},)"
      R"("$ref":"#/definitions/n"})"
      "\n"
      R"({"definitions":{"n":{"allOf":[{"properties":{"n":{"$ref":"#/definitions/n"}}},)"
      R"({"properties":{"v":{"multipleOf":0.25}}}]}},"$ref":"#/definitions/n"})"
      "\n{\"n\":{\"v\":0.5}}\n{\"v\":0.25}",
      R"({"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{"type":"string"}],)"
      R"("items":false,"contains":{"minLength":1},"maxContains":1})"
      "\n"
      R"({"items":[{"format":"date"},{"pattern":"^a"}],"additionalItems":true,"uniqueItems":true,"maxItems":3})"
      "\n[\"2026-11-29\"]\n[\"\",1]\n[]",
      R"({"patternProperties":{"^a":{"type":"string"},"b$":{"type":"null"}},"propertyNames":{"maxLength":2},)"
      R"("dependencies":{"a":["b"]}})"
      "\n"
      R"({"patternProperties":{"^a":true},"additionalProperties":{"type":["null","string"]},"minProperties":1,)"
      R"("dependentRequired":{"a":["b"]}})"
      "\n{\"a\":\"\",\"b\":null}\n{\"c\":1}\n{}",
      R"({"if":{"required":["a"]},"then":{"minProperties":2},"unevaluatedProperties":false})"
      "\n"
      R"({"$id":"urn:x","if":{"required":["a"]},"then":{"minProperties":2},"$ref":"#/definitions/y",)"
      R"("definitions":{"y":{"$id":"y"}}})"
      "\n{\"a\":1}",
  };
}

std::string_view take_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  return line;
}

bool is_compatible(std::string_view from, std::string_view to, SchemaPolicy policy, bool& is_exhausted) {
  WorkBudget work(kChangeWork);
  const SchemaDifferences found = breaking_differences(from, to, policy, work);
  STELE_CHECK(found.size() <= kSchemaDifferencesMax);
  for (const SchemaDifference& each : found) STELE_CHECK(!each.rule.empty() && !each.detail.empty());
  STELE_CHECK(!work.exhausted() || !found.empty());
  is_exhausted = work.exhausted();
  return found.empty();
}

void check_direction(std::string_view from, std::string_view to, const CompiledSchema& before,
                     const CompiledSchema& after, std::string_view instances) {
  bool is_exhausted = false;
  const bool strict = is_compatible(from, to, SchemaPolicy::Strict, is_exhausted);
  const bool lenient = is_compatible(from, to, SchemaPolicy::Lenient, is_exhausted);
  STELE_CHECK(lenient || !strict || is_exhausted);
  // A property with a default may become required: readers put it there. Names may be escaped.
  if (!strict || to.find("default") != std::string_view::npos || to.find('\\') != std::string_view::npos) return;
  simdjson::dom::parser parser;
  while (!instances.empty()) {
    const std::string_view line = take_line(instances);
    simdjson::dom::element instance;
    if (parser.parse(line.data(), line.size()).get(instance) != simdjson::SUCCESS) continue;
    if (validate(before, instance, kInstanceLimits).outcome != SchemaVerdict::Outcome::Valid) continue;
    STELE_CHECK(validate(after, instance, kInstanceLimits).outcome != SchemaVerdict::Outcome::Invalid);
  }
}

}  // namespace

FUZZ_TARGET(schema_change, schema_change_seeds) {
  std::string_view instances = input;
  const fuzz::Exact one(take_line(instances)), other(take_line(instances));
  const auto compiled = compile_schema(one.view()), compiled_other = compile_schema(other.view());
  const auto* const schema = std::get_if<std::shared_ptr<const CompiledSchema>>(&compiled);
  const auto* const other_schema = std::get_if<std::shared_ptr<const CompiledSchema>>(&compiled_other);
  if (schema == nullptr || other_schema == nullptr) return;
  check_direction(one.view(), other.view(), **schema, **other_schema, instances);
  check_direction(other.view(), one.view(), **other_schema, **schema, instances);
}

}  // namespace stele::api
