#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "api/schemas/compiled_schema.h"
#include "tests/api/schema_support.h"

using namespace stele::api;
using namespace stele::tests;

TEST_CASE("SchemaCompile.FaultsSayWhere") {
  CHECK(fault_of(R"({"type":"text"})").starts_with("/type: A type is"));
  CHECK(fault_of(R"({"properties":{"a":{"pattern":"("}}})") ==
        "/properties/a/pattern: This is no regular expression: there is a ( without its ).");
  CHECK(fault_of(R"~({"items":[true,{"pattern":"(?=a)"}]})~")
            .starts_with("/items/1/pattern: This pattern has lookaround"));
  CHECK(fault_of(R"({"patternProperties":{"a/b\\1":true}})")
            .starts_with("/patternProperties/a~1b\\1: This pattern has back"));
  CHECK(fault_of(R"({"definitions":{"unused":{"minimum":"1"}}})") ==
        "/definitions/unused/minimum: It must be a number.");
  CHECK(fault_of(R"({"allOf":[]})") == "/allOf: It must have at least one schema.");
  CHECK(fault_of(R"({"required":["a","a"]})") == "/required: It has the same string twice.");
  CHECK(fault_of(R"({"required":[1]})") == "/required: It must be an array of strings.");
  CHECK(fault_of(R"({"multipleOf":0})") == "/multipleOf: It must be greater than 0.");
  CHECK(fault_of(R"({"maxLength":-1})") == "/maxLength: It must be a whole number, 0 or more.");
  CHECK(fault_of(R"({"maxLength":1.5})") == "/maxLength: It must be a whole number, 0 or more.");
  CHECK(fault_of(R"({"exclusiveMaximum":true})") == "/exclusiveMaximum: It must be a number.");
  CHECK(fault_of(R"({"not":1})") == "/not: A schema is an object, true or false.");
  CHECK(fault_of("[]") == ": A schema is an object, true or false.");
  CHECK(fault_of("{\"a\":}").starts_with(": This is no JSON: "));
  CHECK(fault_of("").starts_with(": This is no JSON: "));
  CHECK(fault_of(R"({"maximum":18446744073709551616})").starts_with("/maximum: "));
  CHECK(fault_of(R"({"properties":{"a":{},"a":{}}})") == "/properties/a: The object has this name twice.");
  CHECK(fault_of(R"({"const":[0,{"x":1,"x":1}]})") == "/const/1/x: The object has this name twice.");
}

TEST_CASE("SchemaCompile.OnlyKnownDraftsAreTaken") {
  CHECK(schema_of("{}")->draft() == SchemaDraft::Draft07);
  CHECK(schema_of("true")->draft() == SchemaDraft::Draft07);
  CHECK(schema_of(R"({"$schema":"http://json-schema.org/draft-07/schema"})")->draft() == SchemaDraft::Draft07);
  CHECK(schema_of(R"({"$schema":"https://json-schema.org/draft/2020-12/schema"})")->draft() ==
        SchemaDraft::Draft202012);
  CHECK(fault_of(R"({"$schema":"http://json-schema.org/draft-04/schema#"})").starts_with("/$schema: Only draft-07"));
  CHECK(fault_of(R"({"$schema":"https://json-schema.org/draft/2019-09/schema"})").starts_with("/$schema: "));
  CHECK(fault_of(R"({"$schema":7})") == "/$schema: It must be a string.");
  CHECK(fault_of(R"({"items":{"$schema":"https://json-schema.org/draft/2020-12/schema"}})")
            .starts_with("/items/$schema: "));
}

TEST_CASE("SchemaCompile.ReferencesStayInTheDocument") {
  CHECK(fault_of(R"({"items":{"$ref":"http://example.com/x.json"}})").starts_with("/items/$ref: It leads out"));
  CHECK(fault_of(R"({"items":{"$ref":"file:///etc/passwd"}})").starts_with("/items/$ref: It leads out"));
  CHECK(fault_of(R"({"$ref":"#/definitions/x"})") == "/$ref: It leads to nothing in this document.");
  CHECK(fault_of(R"({"$ref":"#x"})") == "/$ref: There is no such anchor in this document.");
  CHECK(fault_of(R"({"$ref":"#/title","title":"x"})") == "/$ref: It leads to what is no schema.");
  CHECK(fault_of(R"({"$ref":"#/a~2"})").starts_with("/$ref: It has a ~"));
  CHECK(fault_of(R"({"$ref":1})") == "/$ref: It must be a string.");
  CHECK(fault_of(R"({"$ref":"a b"})") == "/$ref: It is no URI reference.");
  CHECK(fault_of(R"({"items":{"$ref":"#/x","title":"y"},"x":{"type":"text"}})").starts_with("/x/type: "));
}

TEST_CASE("SchemaCompile.ReferencesFindIdsAnchorsAndPlacesThatNoKeywordKnows") {
  const auto holds = [](std::string_view schema) {
    const SchemaPointer compiled = schema_of(schema);
    return satisfies("1", *compiled) && !satisfies("\"x\"", *compiled);
  };
  CHECK(holds(R"({"$ref":"#/custom/0","custom":[{"type":"integer"}]})"));
  CHECK(holds(R"({"$ref":"#/definitions/a%25b~1c","definitions":{"a%b/c":{"type":"integer"}}})"));
  CHECK(holds(R"({"allOf":[{"$ref":"#here"}],"definitions":{"x":{"$id":"#here","type":"integer"}}})"));
  CHECK(holds(R"({"$id":"http://a/b/c.json","allOf":[{"$ref":"../d.json"}],
                  "definitions":{"x":{"$id":"http://a/d.json","type":"integer"}}})"));
  CHECK(holds(R"({"$id":"http://a/b/c.json","allOf":[{"$ref":"http://a/b/x/y.json#/definitions/z"}],
                  "definitions":{"x":{"$id":"x/y.json","definitions":{"z":{"$ref":"#/definitions/w"},
                                                                      "w":{"type":"integer"}}}}})"));
  CHECK(holds(R"({"allOf":[{"$ref":"item"}],"definitions":{"x":{"$id":"item","type":"integer"}}})"));
  CHECK(holds(R"({"allOf":[{"$ref":"urn:x:y"}],"definitions":{"x":{"$id":"urn:x:y","type":"integer"}}})"));
  CHECK(fault_of(R"({"definitions":{"a":{"$id":"x"},"b":{"$id":"x"}}})") ==
        "/definitions/b/$id: Another subschema has the same $id.");
}

TEST_CASE("SchemaCompile.WhatStandsBesideAReferenceIsIgnoredInDraft07") {
  CHECK(satisfies("1", R"({"$ref":"#/definitions/a","type":"string","definitions":{"a":{"type":"integer"}}})"));
}

TEST_CASE("SchemaCompile.RecursionThatNeverEndsIsAFault") {
  CHECK(fault_of(R"({"$ref":"#"})") == "/$ref: It leads back to itself.");
  CHECK(fault_of(R"({"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}})")
            .find("back to itself") != std::string::npos);
  for (const char* const schema :
       {R"({"allOf":[{"$ref":"#"}]})", R"({"anyOf":[true,{"$ref":"#"}]})", R"({"not":{"$ref":"#"}})",
        R"({"if":true,"then":{"$ref":"#"}})", R"({"dependencies":{"a":{"oneOf":[{"$ref":"#"}]}}})"}) {
    CHECK_MESSAGE(fault_of(schema).find("back to itself for the same value") != std::string::npos, schema);
  }
  CHECK(fault_of(R"({"items":{"$ref":"#"},"properties":{"a":{"$ref":"#"}},"propertyNames":{"$ref":"#"}})").empty());
}

TEST_CASE("SchemaCompile.WhatMeansNothingHereIsListed") {
  const SchemaPointer schema = schema_of(R"({"title":"t","x-a":1,"properties":{"x-b":{"x-a":2,"format":"int32"}},
      "nullable":true,"dependentRequired":{"a":["b"]},"format":"date","default":1,"examples":[],"$comment":""})");
  CHECK(schema->ignored_keywords() ==
        std::vector<std::string>{"dependentRequired", "format: int32", "nullable", "x-a"});
  CHECK(schema_of(R"({"properties":{"a":{"type":"string"}}})")->ignored_keywords().empty());
}

TEST_CASE("SchemaCompile.LimitsHold") {
  const auto nested = [](int levels) {
    std::string text = "true";
    for (int i = 1; i < levels; ++i) text = R"({"not":)" + text + "}";
    return text;
  };
  CHECK(fault_of(nested(64)).empty());
  CHECK(fault_of(nested(65)).find("More than 64 subschemas lie in each other.") != std::string::npos);
  const auto wide = [](int subschemas) {
    std::string text = R"({"anyOf":[true)";
    for (int i = 2; i < subschemas; ++i) text += ",{}";
    return text + "]}";
  };
  CHECK(fault_of(wide(10'000)).empty());
  CHECK(fault_of(wide(10'001)) == "/anyOf/9999: The schema has more than 10000 subschemas.");
  const std::string large = R"({"title":")" + std::string(kSchemaBytesMax, 'x') + "\"}";
  CHECK(fault_of(large) == ": The schema is larger than 1048576 bytes.");
  CHECK(fault_of(R"({"$ref":"#)" + std::string(3000, 'a') + "\"}") == "/$ref: It is longer than 2048 bytes.");
}
