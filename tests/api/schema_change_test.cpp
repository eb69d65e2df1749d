// What a change of a schema does to what was valid before.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "api/schemas/schema_change.h"
#include "tests/api/schema_support.h"
#include "tests/support/one_thread.h"

using namespace stele;
using namespace stele::api;

namespace {

struct SchemaChangeCase {
  const char* what;
  std::string from;
  std::string to;
  const char* strict;   ///< `pointer rule` of the first difference; "" = there is none
  const char* lenient;  ///< the same
};

std::string object(const std::string& properties, const std::string& more = "") {
  return R"({"type":"object","properties":{)" + properties + "}" + more + "}";
}

const std::string kClosed = R"(,"additionalProperties":false)";
const std::string kStrings = R"(,"additionalProperties":{"type":"string"})";
const std::string k2020 = R"("$schema":"https://json-schema.org/draft/2020-12/schema",)";

const std::vector<SchemaChangeCase>& schema_changes() {
  static const std::vector<SchemaChangeCase> all{
      {"nothing", object(R"("a":{"type":"string"})"), object(R"("a":{"type":"string"})"), "", ""},
      {"anything to anything", "true", "{}", "", ""},
      {"anything to something", "true", R"({"type":"object"})", "/type type-narrowed", "/type type-narrowed"},
      {"something to anything", R"({"type":"object"})", "true", "", ""},
      {"nothing valid to something", "false", R"({"type":"string"})", "", ""},
      {"something to nothing valid", R"({"type":"string"})", "false", " schema-closed", " schema-closed"},
      {"annotations", R"({"title":"a","default":1,"description":"x"})", R"({"title":"b","$comment":"y"})", "", ""},
      {"open model gains an optional property", object(""), object(R"("a":{"type":"string"})"),
       "/properties/a property-added-to-open-model", ""},
      {"open model gains one that may be anything", object(""), object(R"("a":true)"), "", ""},
      {"open model gains a required one", object(""), object(R"("a":true)", R"(,"required":["a"])"),
       "/required property-required", "/required property-required"},
      {"open model gains a required one with a default", object(""),
       object(R"("a":{"default":1})", R"(,"required":["a"])"), "", ""},
      {"open model loses a property", object(R"("a":{"type":"string"})"), object(""), "", ""},
      {"closed model gains an optional property", object("", kClosed), object(R"("a":{"type":"string"})", kClosed), "",
       ""},
      {"closed model gains a required one", object("", kClosed), object(R"("a":{})", kClosed + R"(,"required":["a"])"),
       "/required property-required", "/required property-required"},
      {"closed model loses an optional property", object(R"("a":{"type":"string"})", kClosed), object("", kClosed),
       "/properties/a property-removed-from-closed-model", ""},
      {"closed model loses a required one", object(R"("a":{"type":"string"})", kClosed + R"(,"required":["a"])"),
       object("", kClosed), "/properties/a property-removed-from-closed-model",
       "/properties/a property-removed-from-closed-model"},
      {"closed model loses one that could never be there", object(R"("a":false)", kClosed), object("", kClosed), "",
       ""},
      {"partially open model gains what others were", object("", kStrings),
       object(R"("a":{"type":"string"})", kStrings), "", ""},
      {"partially open model gains something else", object("", kStrings), object(R"("a":{"type":"number"})", kStrings),
       "/properties/a/type type-narrowed", "/properties/a/type type-narrowed"},
      {"partially open model loses what others are", object(R"("a":{"type":"string"})", kStrings), object("", kStrings),
       "", ""},
      {"partially open model loses something else", object(R"("a":{"type":"number"})", kStrings), object("", kStrings),
       "/properties/a/type type-narrowed", "/properties/a/type type-narrowed"},
      {"a property becomes required", object(R"("a":{})"), object(R"("a":{})", R"(,"required":["a"])"),
       "/required property-required", "/required property-required"},
      {"a name that is not declared becomes required", "{}", R"({"required":["a"]})", "/required property-required",
       "/required property-required"},
      {"a property becomes optional", object(R"("a":{})", R"(,"required":["a"])"), object(R"("a":{})"), "", ""},
      {"closed becomes open", object("", kClosed), object(""), "", ""},
      {"open becomes closed", object(""), object("", kClosed), "/additionalProperties model-closed",
       "/additionalProperties model-closed"},
      {"open becomes partially open", object(""), object("", kStrings), "/additionalProperties/type type-narrowed",
       "/additionalProperties/type type-narrowed"},
      {"partially open becomes open", object("", kStrings), object(""), "", ""},
      {"a value is listed besides", R"({"enum":["a"]})", R"({"enum":["a","b"]})", "", ""},
      {"a value is not listed any more", R"({"enum":["a","b"]})", R"({"enum":["a"]})", "/enum value-removed",
       "/enum value-removed"},
      {"values are listed", R"({"type":"string"})", R"({"type":"string","enum":["a"]})", "/enum values-listed",
       "/enum values-listed"},
      {"listed values become a type", R"({"enum":["a","b"]})", R"({"type":"string"})", "", ""},
      {"a constant becomes one of a list", R"({"const":1})", R"({"enum":[1.0,2]})", "", ""},
      {"another constant", R"({"const":1})", R"({"const":2})", "/const value-removed", "/const value-removed"},
      {"a constant is not listed", R"({"const":1})", R"({"const":1,"enum":[2]})", "/enum value-removed",
       "/enum value-removed"},
      {"a constant of what was listed", R"({"enum":[1,2]})", R"({"const":1,"enum":[1,2]})", "/const value-removed",
       "/const value-removed"},
      {"integers become numbers", R"({"type":"integer"})", R"({"type":"number"})", "", ""},
      {"numbers become integers", R"({"type":"number"})", R"({"type":"integer"})", "/type type-narrowed",
       "/type type-narrowed"},
      {"texts become integers", object(R"("a":{"type":"string"})"), object(R"("a":{"type":"integer"})"),
       "/properties/a/type type-narrowed", "/properties/a/type type-narrowed"},
      {"null besides", R"({"type":"string"})", R"({"type":["string","null"]})", "", ""},
      {"no null any more", R"({"type":["string","null"]})", R"({"type":"string"})", "/type type-narrowed",
       "/type type-narrowed"},
      {"a larger maximum", R"({"maximum":1})", R"({"maximum":2})", "", ""},
      {"a smaller maximum", R"({"maximum":2})", R"({"maximum":1.5})", "/maximum bound-tightened",
       "/maximum bound-tightened"},
      {"an exclusive maximum", R"({"maximum":2})", R"({"exclusiveMaximum":2})", "/exclusiveMaximum bound-tightened",
       "/exclusiveMaximum bound-tightened"},
      {"a maximum that was exclusive", R"({"exclusiveMaximum":2})", R"({"maximum":2})", "", ""},
      {"a new minimum", R"({"type":"integer"})", R"({"type":"integer","minimum":0})", "/minimum bound-tightened",
       "/minimum bound-tightened"},
      {"a minimum of what is no number", R"({"type":"string"})", R"({"type":"string","minimum":0})", "", ""},
      {"a bound within which all listed values are", R"({"enum":[1,2]})", R"({"type":"integer","minimum":1})", "", ""},
      {"a finer multiple", R"({"multipleOf":0.1})", R"({"multipleOf":0.01})", "", ""},
      {"a coarser multiple", R"({"multipleOf":0.01})", R"({"multipleOf":0.1})", "/multipleOf multiple-changed",
       "/multipleOf multiple-changed"},
      {"longer texts", R"({"maxLength":1})", R"({"maxLength":2})", "", ""},
      {"shorter texts", R"({"maxLength":2})", R"({"maxLength":1})", "/maxLength bound-tightened",
       "/maxLength bound-tightened"},
      {"a length of at least 0", R"({"type":"string"})", R"({"type":"string","minLength":0})", "", ""},
      {"a pattern", R"({"type":"string"})", R"({"type":"string","pattern":"^a"})", "/pattern pattern-changed",
       "/pattern pattern-changed"},
      {"no pattern any more", R"({"pattern":"^a"})", "{}", "", ""},
      {"another format", R"({"format":"date"})", R"({"format":"date-time"})", "/format format-changed",
       "/format format-changed"},
      {"elements are of a wider type", R"({"items":{"type":"integer"}})", R"({"items":{"type":"number"}})", "", ""},
      {"elements are of a narrower type", R"({"items":{"type":"number"}})", R"({"items":{"type":"integer"}})",
       "/items/type type-narrowed", "/items/type type-narrowed"},
      {"a first element", R"({"items":[{"type":"string"}]})", R"({"items":[{"type":"string"},{"type":"string"}]})",
       "/items/1/type type-narrowed", "/items/1/type type-narrowed"},
      {"no further elements", R"({"items":[true],"additionalItems":true})",
       R"({"items":[true],"additionalItems":false})", "/additionalItems schema-closed",
       "/additionalItems schema-closed"},
      {"first elements across drafts", R"({"items":[{"type":"integer"}]})",
       "{" + k2020 + R"("prefixItems":[{"type":"number"}]})", "", ""},
      {"elements must differ", R"({"type":"array"})", R"({"type":"array","uniqueItems":true})",
       "/uniqueItems unique-added", "/uniqueItems unique-added"},
      {"fewer elements", R"({"maxItems":3})", R"({"maxItems":2})", "/maxItems bound-tightened",
       "/maxItems bound-tightened"},
      {"something must be contained", R"({"type":"array"})", R"({"type":"array","contains":{"const":1}})",
       "/contains contains-changed", "/contains contains-changed"},
      {"one that fits becomes a choice", R"({"type":"string"})", R"({"anyOf":[{"type":"integer"},{"type":"string"}]})",
       "", ""},
      {"a choice more", R"({"oneOf":[{"type":"string"}]})", R"({"oneOf":[{"type":"string"},{"type":"null"}]})", "", ""},
      {"a choice less", R"({"anyOf":[{"type":"string"},{"type":"null"}]})", R"({"anyOf":[{"type":"string"}]})",
       "/anyOf choice-removed", "/anyOf choice-removed"},
      {"choices become what all of them are", R"({"anyOf":[{"const":"a"},{"const":"b"}]})", R"({"type":"string"})", "",
       ""},
      {"one demand less", R"({"allOf":[{"type":"string"},{"maxLength":3}]})", R"({"allOf":[{"type":"string"}]})", "",
       ""},
      {"one demand more", R"({"allOf":[{"type":"string"}]})", R"({"allOf":[{"type":"string"},{"maxLength":3}]})",
       "/maxLength bound-tightened", "/maxLength bound-tightened"},
      {"less is ruled out", R"({"not":{"type":"number"}})", R"({"not":{"type":"integer"}})", "", ""},
      {"more is ruled out", R"({"not":{"type":"integer"}})", R"({"not":{"type":"number"}})", "/not not-extended",
       "/not not-extended"},
      {"the same condition", R"({"if":{"required":["a"]},"then":{"required":["b"]}})",
       R"({"if":{"required":["a"]},"then":{"required":["b"]}})", "", ""},
      {"another condition", R"({"if":{"required":["a"]},"then":{"required":["b"]}})",
       R"({"if":{"required":["a"]},"then":{"required":["c"]}})", "/if condition-changed", "/if condition-changed"},
      {"a property brings others", "{}", R"({"dependencies":{"a":["b"]}})", "/dependencies/a dependency-added",
       "/dependencies/a dependency-added"},
      {"a property brings what is there anyway", R"({"required":["b"]})",
       R"({"required":["b"],"dependencies":{"a":["b"]}})", "", ""},
      {"names are bounded", R"({"type":"object"})", R"({"type":"object","propertyNames":{"maxLength":3}})",
       "/propertyNames/maxLength bound-tightened", "/propertyNames/maxLength bound-tightened"},
      {"more members", R"({"maxProperties":1})", R"({"maxProperties":2})", "", ""},
      {"a pattern of names", R"({"patternProperties":{"^a":{"type":"string"}}})",
       R"({"patternProperties":{"^a":{"type":["string","null"]}}})", "", ""},
      {"a property that a pattern of names covers", object(R"("ab":{"type":"string"})"),
       object("", R"(,"patternProperties":{"^a":{"type":"integer"}})"), "/properties/ab/type type-narrowed",
       "/properties/ab/type type-narrowed"},
      {"by reference", R"({"definitions":{"x":{"type":"integer"}},"properties":{"a":{"$ref":"#/definitions/x"}}})",
       R"({"properties":{"a":{"type":"number"}}})", "", ""},
      {"what is referred to",
       R"({"definitions":{"x":{"type":"number"}},"properties":{"a":{"$ref":"#/definitions/x"}}})",
       R"({"definitions":{"x":{"type":"integer"}},"properties":{"a":{"$ref":"#/definitions/x"}}})",
       "/properties/a/type type-narrowed", "/properties/a/type type-narrowed"},
      {"the same recursion", R"({"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"integer"}}})",
       R"({"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"number"}}})", "", ""},
      {"a narrower recursion", R"({"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"number"}}})",
       R"({"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"integer"}}})",
       "/properties/n/type type-narrowed", "/properties/n/type type-narrowed"},
      {"a reference by name", "{" + k2020 + R"("$defs":{"x":{"$anchor":"x"}},"$ref":"#x"})",
       "{" + k2020 + R"("$defs":{"x":{"$anchor":"x"}},"$ref":"#x"})", " reference-not-compared",
       " reference-not-compared"},
      {"the same rest", "{" + k2020 + R"("unevaluatedProperties":false})",
       "{" + k2020 + R"("unevaluatedProperties":false})", "", ""},
      {"another rest", "{" + k2020 + R"("type":"object"})",
       "{" + k2020 + R"("type":"object","unevaluatedProperties":false})", " unevaluated-changed",
       " unevaluated-changed"},
      {"the same rest of less",
       "{" + k2020 + R"("properties":{"b":{}},"required":["b"],"unevaluatedProperties":false})",
       "{" + k2020 + R"("unevaluatedProperties":false})", " unevaluated-changed", " unevaluated-changed"},
      {"the type of a property in allOf", R"({"type":"object","allOf":[{"properties":{"a":{"type":"string"}}}]})",
       R"({"type":"object","allOf":[{"properties":{"a":{"type":"integer"}}}]})", "/properties/a/type type-narrowed",
       "/properties/a/type type-narrowed"},
      {"a new property in allOf", R"({"type":"object","allOf":[{"properties":{"a":{"type":"string"}}}]})",
       R"({"type":"object","allOf":[{"properties":{"a":{"type":"string"},"b":{"type":"string"}}}]})",
       "/properties/b property-added-to-open-model", ""},
      {"the type of a property of a base",
       R"({"definitions":{"Base":{"properties":{"a":{"type":"string"}}}},"allOf":[{"$ref":"#/definitions/Base"},
           {"properties":{"b":{}}}]})",
       R"({"definitions":{"Base":{"properties":{"a":{"type":"integer"}}}},"allOf":[{"$ref":"#/definitions/Base"},
           {"properties":{"b":{}}}]})",
       "/properties/a/type type-narrowed", "/properties/a/type type-narrowed"},
      {"the type of a property of a base beside others",
       "{" + k2020 + R"("$defs":{"B":{"properties":{"a":{"type":"string"}}}},"$ref":"#/$defs/B","type":"object"})",
       "{" + k2020 + R"("$defs":{"B":{"properties":{"a":{"type":"integer"}}}},"$ref":"#/$defs/B","type":"object"})",
       "/properties/a/type type-narrowed", "/properties/a/type type-narrowed"},
      {"the type of a property beside choices",
       object(R"("a":{"type":"string"})", R"(,"anyOf":[{"required":["x"]},{"required":["y"]}])"),
       object(R"("a":{"type":"integer"})", R"(,"anyOf":[{"required":["x"]},{"required":["y"]}])"),
       "/properties/a/type type-narrowed", "/properties/a/type type-narrowed"},
      {"a property of a choice",
       R"({"anyOf":[{"properties":{"a":{"type":"string"}},"required":["x"]},{"required":["y"]}]})",
       object(R"("a":{"type":"integer"})",
              R"(,"anyOf":[{"properties":{"a":{"type":"string"}},"required":["x"]},{"required":["y"]}])"),
       "/type type-narrowed", "/type type-narrowed"},
      {"a property that moves into a choice with another type",
       object(R"("a":{"type":"string"})", R"(,"anyOf":[{"required":["x"]},{"required":["y"]}])"),
       R"({"anyOf":[{"required":["x"],"properties":{"a":{"type":"integer"}}},{"required":["y"]}]})",
       "/anyOf choice-removed", "/anyOf choice-removed"},
      {"a property that was under a condition",
       R"({"if":{"required":["x"]},"then":{"properties":{"a":{"type":"string"}}}})",
       R"({"properties":{"a":{"type":"integer"}}})", "/properties/a/type type-narrowed",
       "/properties/a/type type-narrowed"},
      {"a property that is described where another one is",
       object(R"("a":{"type":"string"})", R"(,"dependencies":{"x":{"required":["y"]}})"),
       object("", R"(,"dependencies":{"x":{"required":["y"],"properties":{"a":{"type":"integer"}}}})"),
       "/dependencies/x dependency-added", "/dependencies/x dependency-added"},
      {"a property that a pattern of allOf covers", R"({"allOf":[{"patternProperties":{"^a":{"type":"string"}}}]})",
       R"({"properties":{"a":{"type":"integer"}},"allOf":[{"patternProperties":{"^a":{"type":"string"}}}]})",
       "/properties/a property-added-to-open-model", "/properties/a property-added-to-open-model"},
      {"a required name gets a type", R"({"required":["a"]})",
       R"({"required":["a"],"properties":{"a":{"type":"string"}}})", "/properties/a property-added-to-open-model",
       "/properties/a property-added-to-open-model"},
      {"what is ruled out loses a property", R"({"not":{"properties":{"a":{"type":"string"}}}})", R"({"not":{}})",
       "/not not-extended", "/not not-extended"},
      {"a reference to nothing valid",
       R"({"definitions":{"none":true},"properties":{"a":{"$ref":"#/definitions/none"}}})",
       R"({"definitions":{"none":false},"properties":{"a":{"$ref":"#/definitions/none"}}})",
       "/properties/a schema-closed", "/properties/a schema-closed"},
      {"nothing valid in allOf", R"({"allOf":[true]})", R"({"allOf":[false]})", " schema-closed", " schema-closed"},
      {"references below another URI",
       R"({"definitions":{"x":{"type":"integer"}},"properties":{"a":{"$id":"http://a.test/inner","definitions":{"x":{}},
           "allOf":[{"$ref":"#/definitions/x"}]}}})",
       R"({"definitions":{"x":{}},"properties":{"a":{"$id":"http://a.test/inner","definitions":{"x":{"type":"integer"}},
           "allOf":[{"$ref":"#/definitions/x"}]}}})",
       "/properties/a reference-not-compared", "/properties/a reference-not-compared"},
      {"any of the choices becomes just one", R"({"anyOf":[{"required":["a"]},{"required":["b"]}]})",
       R"({"oneOf":[{"required":["a"]},{"required":["b"]}]})", "/oneOf choices-overlap", "/oneOf choices-overlap"},
      {"any of the choices becomes just one where they exclude each other",
       R"({"anyOf":[{"type":"string"},{"type":"null"}]})", R"({"oneOf":[{"type":"string"},{"type":"null"}]})", "", ""},
      {"what fits becomes one of two that overlap", R"({"type":"string","maxLength":3})",
       R"({"oneOf":[{"type":"string"},{"type":["string","null"]}]})", "/oneOf choices-overlap",
       "/oneOf choices-overlap"},
      {"the same choices, of which just one", R"({"oneOf":[{"required":["a"]},{"required":["b"]}]})",
       R"({"oneOf":[{"required":["b"]},{"required":["a"]}]})", "", ""},
      {"a choice that takes more of what another one takes", R"({"oneOf":[{"required":["a"]},{"required":["b","c"]}]})",
       R"({"oneOf":[{"required":["a"]},{"required":["b"]}]})", "/oneOf choices-overlap", "/oneOf choices-overlap"},
      {"a choice that is told by a constant takes more",
       R"({"oneOf":[{"type":"object","properties":{"k":{"const":1},"n":{"type":"integer"}},"required":["k"]},
           {"type":"object","properties":{"k":{"const":2}},"required":["k"]}]})",
       R"({"oneOf":[{"type":"object","properties":{"k":{"const":1},"n":{"type":"number"}},"required":["k"]},
           {"type":"object","properties":{"k":{"const":2}},"required":["k"]}]})",
       "", ""},
      {"what draft-07 ignored is asked for", R"({"dependentRequired":{"a":["b"]}})",
       "{" + k2020 + R"("dependentRequired":{"a":["b"]}})", "/dependentRequired/a dependency-added",
       "/dependentRequired/a dependency-added"},
      {"a count that draft-07 ignored is asked for", R"({"contains":{"const":1},"minContains":2})",
       "{" + k2020 + R"("contains":{"const":1},"minContains":2})", "/contains contains-changed",
       "/contains contains-changed"},
  };
  return all;
}

std::vector<SchemaDifference> differences_of(std::string_view from, std::string_view to, SchemaPolicy policy) {
  WorkBudget work(10'000'000);
  return breaking_differences(from, to, policy, work);
}

std::string first_difference(const SchemaChangeCase& change, SchemaPolicy policy) {
  const auto found = differences_of(change.from, change.to, policy);
  return found.empty() ? "" : found.front().pointer + " " + std::string(found.front().rule);
}

}  // namespace

TEST_CASE("SchemaChange.EachKindHasItsVerdict") {
  CHECK(schema_changes().size() >= 80);
  for (const SchemaChangeCase& change : schema_changes()) {
    CAPTURE(std::string(change.what));
    CHECK(tests::fault_of(change.from) == "");
    CHECK(tests::fault_of(change.to) == "");
    CHECK(first_difference(change, SchemaPolicy::Strict) == change.strict);
    CHECK(first_difference(change, SchemaPolicy::Lenient) == change.lenient);
  }
}

TEST_CASE("SchemaChange.NothingBreaksWhatStaysAsItIs") {
  for (const SchemaChangeCase& change : schema_changes()) {
    for (const std::string* const schema : {&change.from, &change.to}) {
      if (schema->find("\"#x\"") != std::string::npos || schema->find("$id") != std::string::npos) continue;
      CAPTURE(*schema);
      CHECK(differences_of(*schema, *schema, SchemaPolicy::Strict).empty());
    }
  }
}

TEST_CASE("SchemaChange.WhatTakesTooMuchWorkIsADifference" * tests::one_thread()) {
  // Each level is compared with the next one in two ways, and each of those again.
  std::string deep = R"({"definitions":{)";
  for (int i = 0; i < 60; ++i) {
    deep += (i == 0 ? "" : ",") + ("\"d" + std::to_string(i)) + R"(":{"anyOf":[{"items":{"$ref":"#/definitions/d)" +
            std::to_string(i + 1) + R"("}},{"items":{"$ref":"#/definitions/d)" + std::to_string(i + 1) +
            R"("},"minItems":1}]})";
  }
  const auto with_end = [&](const std::string& end) {
    return deep + R"(,"d60":)" + end + R"(},"$ref":"#/definitions/d0"})";
  };
  CHECK_FALSE(differences_of(with_end(R"({"type":"number"})"), with_end(R"({"type":"integer"})"), SchemaPolicy::Strict)
                  .empty());
}

TEST_CASE("SchemaChange.TwoWaysALevelEnd" * tests::one_thread()) {
  std::string deep = R"({"definitions":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"([{"$ref":"#/definitions/d)" + std::to_string(i + 1) + R"("}])";
    deep += "\"d" + std::to_string(i) + R"(":{"anyOf":)" + next + R"(,"oneOf":)" + next + "},";
  }
  deep += R"("d40":{}},"$ref":"#/definitions/d0"})";
  for (const SchemaPolicy policy : {SchemaPolicy::Strict, SchemaPolicy::Lenient}) {
    const auto found = differences_of(deep, R"({"type":"string"})", policy);
    REQUIRE(found.size() == 1);
    CHECK(found.front().rule == "beyond-comparison");
    CHECK_FALSE(differences_of(R"({"type":"string"})", deep, policy).empty());
  }
}

TEST_CASE("SchemaChange.ManyListedValuesAreLookedUp") {
  std::string values;
  for (int i = 0; i < 20'000; ++i) values += (i == 0 ? "\"value" : ",\"value") + std::to_string(i) + '"';
  const std::string before = R"({"enum":[)" + values + "]}";
  CHECK(differences_of(before, R"({"title":"t","enum":["more",)" + values + "]}", SchemaPolicy::Strict).empty());
  const auto found = differences_of(before, R"({"enum":["value0"]})", SchemaPolicy::Strict);
  REQUIRE(found.size() == 1);
  CHECK(found.front().rule == "value-removed");
}

TEST_CASE("SchemaChange.ComparisonsShareTheirWork") {
  const std::string from = R"({"type":"integer"})", to = R"({"type":"number"})";
  WorkBudget work(10'000);
  int compared = 0;
  while (breaking_differences(from, to, SchemaPolicy::Strict, work).empty() && compared < 10'000) ++compared;
  CHECK(work.exhausted());
  CHECK(compared > 1);
  const auto found = breaking_differences(from, to, SchemaPolicy::Strict, work);
  REQUIRE(found.size() == 1);
  CHECK(found.front().rule == "beyond-comparison");
}
