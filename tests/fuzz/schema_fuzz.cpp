// Schemas and what is validated against them.
//
// Input: JSON texts, one a line; the first is the schema, the others are instances. An instance that is no JSON is
// passed over, as events are parsed before they are validated.

#include <simdjson.h>

#include <algorithm>
#include <variant>

#include "api/schemas/compiled_schema.h"
#include "api/schemas/schema_validation.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

std::vector<std::string> schema_seeds() {
  return {
      R"({"type":"object","required":["a"],"properties":{"a":{"type":["integer","null"],"minimum":1,"multipleOf":0.01},)"
      R"("b":{"$ref":"#/definitions/c"}},"additionalProperties":false,"definitions":{"c":{"$id":"#c","maxLength":2}}})"
      "\n{\"a\":1,\"b\":\"xyz\"}\n{\"a\":1.5e3,\"c\":[]}\n[]",
      R"({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:a","$dynamicAnchor":"n","prefixItems":[true],)"
      R"("items":{"$dynamicRef":"#n"},"contains":{"minimum":2},"maxContains":3,"unevaluatedItems":false})"
      "\n[1,[2,[3]],2]\n[]\n{}",
      R"({"$schema":"https://json-schema.org/draft/2020-12/schema","anyOf":[{"properties":{"a":true}},{"$ref":"#/$defs/x"}],)"
      R"("unevaluatedProperties":{"type":"string"},"$defs":{"x":{"patternProperties":{"^b":false}}}})"
      "\n{\"a\":1,\"c\":\"\"}\n{\"b\":1}",
      R"~({"items":{"pattern":"^(a|[\\d\\s])*\\u00e9{2,3}?$","format":"date-time"},"uniqueItems":true,"propertyNames":{"maxLength":1}})~"
      "\n[\"a1\",\"\\u00e9\\u00e9\",1,1.0]\n{\"ab\":1}",
      R"({"if":{"const":{"a":[1]}},"then":{"dependencies":{"a":["b"],"c":{"not":{}}}},"else":{"enum":[1,"x",null,[],{}]}})"
      "\n{\"a\":[1.0]}\n1\n\"x\"",
      R"({"items":[{"format":"uri"},{"format":"ipv6"},{"format":"regex"},{"format":"email"},{"format":"uri-template"},{"format":"duration"}]})"
      "\n[\"http://[::1]:80/%20?a#b\",\"1::2:1.2.3.4\",\"(?<a>[^]){2}\",\"\\\"a "
      "b\\\"@[IPv6:::]\",\"{+a,b:3*}\",\"P1YT2S\"]",
      "{\"allOf\":[{\"$ref\":\"#\"}]}\n1",
  };
}

}  // namespace

FUZZ_TARGET(schema, schema_seeds) {
  const std::string_view first = input.substr(0, input.find('\n'));
  const auto compiled = compile_schema(fuzz::Exact(first).view());
  if (const auto* const fault = std::get_if<SchemaError>(&compiled)) {
    STELE_CHECK(!fault->detail.empty());
    return;
  }
  const CompiledSchema& schema = *std::get<std::shared_ptr<const CompiledSchema>>(compiled);
  simdjson::dom::parser parser;
  for (std::string_view rest = input.substr(std::min(first.size() + 1, input.size())); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    simdjson::dom::element instance;
    if (parser.parse(line.data(), line.size()).get(instance) != simdjson::SUCCESS) continue;
    const SchemaVerdict verdict = validate(schema, instance, {200'000, 20});
    const bool invalid = verdict.outcome == SchemaVerdict::Outcome::Invalid;
    STELE_CHECK(invalid == !verdict.violations.empty());
    STELE_CHECK(verdict.violations.size() <= 20);
    // To look for fewer violations changes nothing but, at most, that the limit is not reached.
    const SchemaVerdict shorter = validate(schema, instance, {200'000, 1});
    STELE_CHECK(shorter.outcome == verdict.outcome || verdict.outcome == SchemaVerdict::Outcome::LimitReached);
    if (validate(schema, instance, {20, 20}).outcome == SchemaVerdict::Outcome::Valid) {
      STELE_CHECK(verdict.outcome == SchemaVerdict::Outcome::Valid);
    }
  }
}

}  // namespace stele::api
