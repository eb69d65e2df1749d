#include "api/schemas/schema_validation.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/api/schema_support.h"

using namespace stele::api;
using namespace stele::tests;

TEST_CASE("SchemaValidation.PointsAtTheParentOfWhatIsMissingAndAtWhatIsTooMuch") {
  const std::string schema = R"({"type":"object","properties":{"a":{"type":"object","required":["x","y"],
      "properties":{"x":true},"additionalProperties":false}}})";
  CHECK(violations_of(R"({"a":{"x":1,"z/~":2}})", schema) == "/a/z~1~0 additionalProperties; /a required");
  CHECK(violations_of(R"({})", R"({"required":["x"]})") == " required");
  CHECK(violations_of(R"([1,[2,"x"]])", R"({"items":{"items":{"type":"integer"}}})") == "/1/1 type");
  CHECK(violations_of(R"([1,2,3])", R"({"items":[true],"additionalItems":false})") ==
        "/1 additionalItems; /2 additionalItems");
  CHECK(violations_of(R"({"ab":1})", R"({"propertyNames":{"maxLength":1}})") == "/ab propertyNames");
  CHECK(violations_of(R"({"a":{"b":1}})", R"({"properties":{"a":{"properties":{"b":false}}}})") == "/a/b false schema");
}

TEST_CASE("SchemaValidation.ListsAllViolationsUpToALimit") {
  const SchemaPointer schema = schema_of(R"({"items":{"type":"string"}})");
  std::string instance = "[1";
  for (int i = 0; i < 50; ++i) instance += ",1";
  instance += "]";
  CHECK_EQ(verdict_on(*schema, instance).violations.size(), 20);
  ValidationLimits three;
  three.violations = 3;
  const SchemaVerdict verdict = verdict_on(*schema, instance, three);
  CHECK(verdict.outcome == SchemaVerdict::Outcome::Invalid);
  REQUIRE_EQ(verdict.violations.size(), 3);
  CHECK(verdict.violations[2].pointer == "/2");
  CHECK(verdict.violations[2].detail == "It is an integer, but must be string.");
}

TEST_CASE("SchemaValidation.SaysNothingOfAlternativesThatWereTried") {
  CHECK(violations_of("1", R"({"anyOf":[{"type":"string"},{"type":"null"}]})") == " anyOf");
  CHECK(violations_of("1", R"({"anyOf":[{"type":"string"}]})") == " type");
  CHECK(violations_of("1", R"({"oneOf":[{"type":"number"},{"type":"integer"}]})") == " oneOf");
  CHECK(violations_of("1", R"({"not":{"type":"integer"}})") == " not");
  CHECK(violations_of("1", R"({"if":{"type":"integer"},"then":{"minimum":2},"else":{"maximum":0}})") == " minimum");
  CHECK(violations_of("1.5", R"({"if":{"type":"integer"},"then":{"minimum":2},"else":{"maximum":0}})") == " maximum");
  CHECK(violations_of("1", R"({"contains":{"type":"string"}})").empty());
  CHECK(violations_of("[1]", R"({"contains":{"type":"string"}})") == " contains");
}

TEST_CASE("SchemaValidation.NumbersAreExact") {
  CHECK(satisfies("19.99", R"({"multipleOf":0.01})"));
  CHECK_FALSE(satisfies("19.995", R"({"multipleOf":0.01})"));
  CHECK(satisfies("0.3", R"({"multipleOf":0.1})"));
  CHECK(satisfies("1e308", R"({"multipleOf":1e-308})"));
  CHECK(satisfies("1e308", R"({"multipleOf":0.0001})"));
  CHECK(satisfies("1e308", R"({"multipleOf":1e308})"));
  CHECK_FALSE(satisfies("1e307", R"({"multipleOf":1e308})"));
  CHECK(satisfies("0", R"({"multipleOf":1e308})"));
  CHECK_FALSE(satisfies("1e-308", R"({"multipleOf":1e308})"));
  CHECK(satisfies("18446744073709551615", R"({"multipleOf":5})"));
  CHECK_FALSE(satisfies("18446744073709551615", R"({"multipleOf":2})"));
  CHECK(satisfies("-9223372036854775808", R"({"multipleOf":2})"));
  CHECK(satisfies("-7.5", R"({"multipleOf":2.5})"));
  CHECK_FALSE(satisfies("9007199254740993", R"({"maximum":9007199254740992})"));
  CHECK_FALSE(satisfies("9007199254740993", R"({"maximum":9007199254740992.0})"));
  CHECK_FALSE(satisfies("18446744073709551615", R"({"maximum":18446744073709551614})"));
  CHECK(satisfies("18446744073709551615", R"({"maximum":1.8446744073709552e19})"));
  CHECK_FALSE(satisfies("-9223372036854775808", R"({"exclusiveMinimum":-9223372036854775808.0})"));
  CHECK(satisfies("1e300", R"({"type":"integer","minimum":18446744073709551615})"));
  CHECK(satisfies("-0.0", R"({"const":0})"));
}

TEST_CASE("SchemaValidation.EqualityIsThatOfValues") {
  CHECK(satisfies("1.0", R"({"const":1})"));
  CHECK(satisfies("1", R"({"enum":["a",1.0,null]})"));
  CHECK_FALSE(satisfies("true", R"({"enum":[1,"true"]})"));
  CHECK(satisfies(R"({"b":[1,{"c":2.0}],"a":"A"})", R"({"const":{"a":"\u0041","b":[1.0,{"c":2}]}})"));
  CHECK_FALSE(satisfies(R"({"a":1})", R"({"const":{"a":1,"b":2}})"));
  CHECK_FALSE(satisfies(R"([1,2,3])", R"({"enum":[[1,2],[1,2,3,4],[1,3,2]]})"));
  CHECK_FALSE(satisfies(R"([{"a":1,"b":2},{"b":2.0,"a":1}])", R"({"uniqueItems":true})"));
  CHECK(satisfies(R"([1,true,"1",[1],{"a":1},null,0,false,""])", R"({"uniqueItems":true})"));
  std::string members;
  for (int i = 0; i < 40; ++i) members += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":" + std::to_string(i);
  CHECK(satisfies("{" + members + "}", R"({"const":{)" + members + "}}"));
  CHECK_FALSE(satisfies("{" + members + ",\"x\":1}", R"({"const":{)" + members + ",\"y\":1}}"));
}

TEST_CASE("SchemaValidation.LengthsAreInCodePoints") {
  CHECK(satisfies(R"("äöü€😀")", R"({"minLength":5,"maxLength":5})"));
  CHECK_FALSE(satisfies(R"("äöü€😀")", R"({"maxLength":4})"));
  CHECK_FALSE(satisfies(R"("😀😀")", R"({"minLength":3})"));
  CHECK(satisfies(R"("\ud83d\ude00")", R"({"minLength":1,"maxLength":1})"));
  CHECK(satisfies(R"("a\u0000b")", R"({"minLength":3,"pattern":"^a.b$"})"));
}

TEST_CASE("SchemaValidation.OfARepeatedNameEachMemberMustBeRight") {
  CHECK_FALSE(satisfies(R"({"a":"x","a":1})", R"({"properties":{"a":{"type":"integer"}}})"));
  CHECK_FALSE(satisfies(R"({"a":1,"a":"x"})", R"({"properties":{"a":{"type":"integer"}}})"));
}

TEST_CASE("SchemaValidation.OneSchemaServesRecursiveData") {
  const SchemaPointer tree = schema_of(R"({"$ref":"#/definitions/node","definitions":{"node":{"type":"object",
      "required":["value"],"properties":{"value":{"type":"integer"},
      "children":{"items":{"$ref":"#/definitions/node"}}}}}})");
  CHECK(satisfies(R"({"value":1,"children":[{"value":2,"children":[]},{"value":3}]})", *tree));
  CHECK_FALSE(satisfies(R"({"value":1,"children":[{"value":2,"children":[{}]}]})", *tree));
  std::string deep;
  std::string end;
  for (int i = 0; i < 250; ++i) {
    deep += R"({"value":1,"children":[)";
    end += "]}";
  }
  CHECK(satisfies(deep + R"({"value":1})" + end, *tree));
  CHECK_FALSE(satisfies(deep + R"({"value":"1"})" + end, *tree));
}

TEST_CASE("SchemaValidation.DependenciesHoldForMembersThatAreThere") {
  const std::string schema = R"({"dependencies":{"a":["b"],"c":{"required":["d"]}}})";
  CHECK(violations_of(R"({"a":1})", schema) == " dependencies");
  CHECK(violations_of(R"({"c":1})", schema) == " required");
  CHECK(violations_of(R"({"b":1,"d":1})", schema).empty());
  CHECK(violations_of(R"({"a":1,"b":1,"c":1,"d":1})", schema).empty());
}
