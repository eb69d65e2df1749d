// Cases of our own for every keyword of 2020-12. What Ajv says of the same is looked at by schema_agreement_test.cpp.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <string>

#include "tests/api/schema_support.h"
#include "tests/support/build_paths.h"

using namespace stele::api;
using namespace stele::tests;

TEST_CASE("Schema202012.EveryKeywordMeansWhatTheCasesSay") {
  simdjson::dom::parser parser;
  const simdjson::dom::array cases = parser.load(source_path("tests/data/schemas-2020-12.json")).get_array().value();
  int instances = 0;
  for (const simdjson::dom::element one : cases) {
    const std::string title(one["description"].get_string().value());
    const SchemaPointer schema = schema_of(simdjson::minify(one["schema"].value()));
    CHECK_MESSAGE(schema->draft() == SchemaDraft::Draft202012, title);
    CHECK_MESSAGE(schema->ignored_keywords().empty(), title);
    for (const char* const expected : {"valid", "invalid"}) {
      const simdjson::dom::array list = one[expected].get_array().value();
      for (const simdjson::dom::element instance : list) {
        const std::string text = simdjson::minify(instance);
        CHECK_MESSAGE(satisfies(text, *schema) == (std::string(expected) == "valid"), title << ": " << text);
        ++instances;
      }
    }
  }
  CHECK(instances > 300);
}

TEST_CASE("Schema202012.KeywordsOfOlderDraftsAreFaultsOrListed") {
  const std::string draft = R"("$schema":"https://json-schema.org/draft/2020-12/schema")";
  CHECK(fault_of("{" + draft + R"(,"items":[true]})") == "/items: A schema is an object, true or false.");
  CHECK(fault_of("{" + draft + R"(,"$id":"a#b"})").starts_with("/$id: It must have no fragment"));
  CHECK(fault_of("{" + draft + R"(,"$anchor":"a b"})").starts_with("/$anchor: It must be a name"));
  CHECK(fault_of("{" + draft + R"(,"$defs":{"a":{"$anchor":"x"},"b":{"$dynamicAnchor":"x"}}})") ==
        "/$defs/b/$dynamicAnchor: Another subschema has the same anchor.");
  CHECK(schema_of("{" + draft + R"(,"additionalItems":false,"$recursiveRef":"#"})")->ignored_keywords() ==
        std::vector<std::string>{"$recursiveRef", "additionalItems"});
}

TEST_CASE("Schema202012.PointsAtWhatNobodyHasEvaluated") {
  const std::string draft = R"("$schema":"https://json-schema.org/draft/2020-12/schema")";
  CHECK(violations_of(R"({"a":1,"b":2,"c":3})",
                      "{" + draft + R"(,"properties":{"a":true},"unevaluatedProperties":false})") ==
        "/b unevaluatedProperties; /c unevaluatedProperties");
  CHECK(violations_of("[1,2]", "{" + draft + R"(,"prefixItems":[true],"unevaluatedItems":false})") ==
        "/1 unevaluatedItems");
  CHECK(violations_of("[1,2]", "{" + draft + R"(,"prefixItems":[true],"items":false})") == "/1 items");
  // What a failing keyword would have evaluated is not complained about as well.
  CHECK(violations_of(R"({"a":1})", "{" + draft + R"(,"allOf":[{"properties":{"a":{"type":"string"}}}],
                                                      "unevaluatedProperties":false})") == "/a type");
}

TEST_CASE("Schema202012.RecursionThatOnlyADynamicReferenceClosesReachesTheLimit") {
  const SchemaPointer schema = schema_of(R"({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:outer",
      "$dynamicAnchor":"x","$ref":"urn:inner","$defs":{"i":{"$id":"urn:inner","$dynamicRef":"#x",
      "$defs":{"d":{"$dynamicAnchor":"x"}}}}})");
  CHECK(verdict_on(*schema, "1").outcome == SchemaVerdict::Outcome::LimitReached);
}
