// Schemas and instances that are written to take long, or all of the stack: each ends, with an answer or at its limit.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/api/schema_support.h"
#include "tests/support/one_thread.h"

using namespace stele::api;
using namespace stele::tests;

namespace {

using Outcome = SchemaVerdict::Outcome;

std::string repeated(std::string_view text, std::size_t times, std::string_view between = "") {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) {
    if (i > 0) all += between;
    all += text;
  }
  return all;
}

std::string quoted(const std::string& text) { return '"' + text + '"'; }

}  // namespace

TEST_CASE("SchemaHostile.PatternsThatMakeOthersBacktrack") {
  const std::string million(1'000'000, 'a');
  CHECK(satisfies(quoted(million), R"~({"pattern":"^(a|b)*$"})~"));
  CHECK_FALSE(satisfies(quoted(million + "!"), R"~({"pattern":"^(a|b)*$"})~"));
  CHECK_FALSE(satisfies(quoted(million + "!"), R"~({"pattern":"^(a+)+$"})~"));
  CHECK_FALSE(satisfies(quoted(million + "!"), R"~({"pattern":"^(((a*)*)*)*$"})~"));
  CHECK_FALSE(satisfies(quoted(million), R"~({"pattern":"^(a|aa)+b$"})~"));
  // The larger a pattern, the less text it is given.
  const SchemaPointer large = schema_of(R"~({"pattern":"(x+x+)+(.{0,900})y"})~");
  CHECK(verdict_on(*large, quoted(million)).outcome == Outcome::LimitReached);
  CHECK(
      fault_of(R"~({"pattern":"((a{0,100}){0,100}){0,100}"})~").starts_with("/pattern: This pattern cannot be taken"));
}

TEST_CASE("SchemaHostile.MoreMembersTimesPatternsThanTheLimit") {
  std::string patterns;
  for (int i = 0; i < 1000; ++i) patterns += (i > 0 ? ",\"x" : "\"x") + std::to_string(i) + "$\":true";
  const SchemaPointer schema = schema_of("{\"patternProperties\":{" + patterns + "}}");
  std::string members;
  for (int i = 0; i < 20'000; ++i) members += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
  CHECK(verdict_on(*schema, "{" + members + "}").outcome == Outcome::LimitReached);
  patterns += R"(,"y0$":true)";
  for (int i = 0; i < 100; ++i) patterns += ",\"z" + std::to_string(i) + "$\":true";
  CHECK(fault_of("{\"patternProperties\":{" + patterns + "}}").find("too many patterns") != std::string::npos);
}

TEST_CASE("SchemaHostile.ReferencesThatMultiplyEachOther") {
  std::string definitions;
  for (int i = 0; i < 60; ++i) {
    const std::string next = R"({"$ref":"#/definitions/d)" + std::to_string(i + 1) + "\"}";
    definitions += "\"d" + std::to_string(i) + R"(":{"allOf":[)" + next + "," + next + "]},";
  }
  const SchemaPointer schema =
      schema_of(R"({"allOf":[{"$ref":"#/definitions/d0"}],"definitions":{)" + definitions + R"("d60":true}})");
  CHECK(verdict_on(*schema, "1").outcome == Outcome::LimitReached);
}

TEST_CASE("SchemaHostile.TenThousandAlternativesForEachElement" * stele::tests::one_thread()) {
  const SchemaPointer schema =
      schema_of(R"({"items":{"anyOf":[)" + repeated(R"({"type":"string"})", 9'997, ",") + ",true]}}");
  CHECK(verdict_on(*schema, "[1]").outcome == Outcome::Valid);
  CHECK(verdict_on(*schema, "[" + repeated("1", 10'000, ",") + "]").outcome == Outcome::LimitReached);
}

TEST_CASE("SchemaHostile.RecursionIsBoundedBeforeTheStackIs") {
  // Sixty subschemas for each level of the instance.
  std::string chain = R"({"properties":{"a":{"$ref":"#"}}})";
  for (int i = 0; i < 60; ++i) chain = R"({"allOf":[)" + chain + "]}";
  const SchemaPointer schema = schema_of(chain);
  const std::string deep = repeated(R"({"a":)", 1000) + "1" + repeated("}", 1000);
  CHECK(verdict_on(*schema, deep).outcome == Outcome::LimitReached);
  CHECK(satisfies(R"({"a":{"a":1}})", *schema));

  // What takes most of the stack.
  const SchemaPointer wide = schema_of(R"({"$schema":"https://json-schema.org/draft/2020-12/schema",
      "anyOf":[{"oneOf":[{"properties":{"a":{"$ref":"#"}},"unevaluatedProperties":false},false]},false]})");
  CHECK(verdict_on(*wide, deep).outcome == Outcome::LimitReached);

  // A chain of references as long as may be, for the same value.
  std::string definitions;
  for (int i = 0; i < 9'990; ++i) {
    definitions += "\"" + std::to_string(i) + R"(":{"$ref":"#/$defs/)" + std::to_string(i + 1) + "\"},";
  }
  const std::string draft = R"("$schema":"https://json-schema.org/draft/2020-12/schema",)";
  const SchemaPointer links =
      schema_of("{" + draft + R"("$ref":"#/$defs/0","$defs":{)" + definitions + R"("9990":false}})");
  CHECK(verdict_on(*links, "1").outcome == Outcome::LimitReached);
  const std::string older = R"({"$ref":"#/$defs/0","$defs":{)" + definitions + R"("9990":false}})";
  CHECK_FALSE(satisfies("1", older));  // draft-07 has nothing beside a reference, so the chain is followed once
}

TEST_CASE("SchemaHostile.ValuesThatAreCompared" * stele::tests::one_thread()) {
  const std::string deep = repeated("[", 900) + repeated("]", 900);
  CHECK(satisfies(deep, R"({"const":)" + deep + "}"));
  const SchemaPointer unique = schema_of(R"({"uniqueItems":true})");
  std::string different;
  for (int i = 0; i < 200'000; ++i) different += (i > 0 ? "," : "") + std::to_string(i);
  CHECK(satisfies("[" + different + "]", *unique));
  CHECK_FALSE(satisfies("[" + different + ",7.0]", *unique));
  const std::string fewer = different.substr(0, different.find(",100000"));
  CHECK(satisfies("99999", R"({"enum":[)" + fewer + "]}"));
  CHECK_FALSE(satisfies("100000", R"({"enum":[)" + fewer + "]}"));
  // Subschemas that each compare all of it.
  const SchemaPointer again = schema_of(R"({"allOf":[)" + repeated(R"({"uniqueItems":true})", 1000, ",") + "]}");
  CHECK(verdict_on(*again, "[" + different + "]").outcome == Outcome::LimitReached);
}

TEST_CASE("SchemaHostile.LongNamesMakeNoLongAnswers") {
  const std::string name(500'000, 'n');
  const SchemaPointer schema = schema_of(R"({"additionalProperties":false,"required":[")" + name + "x\"]}");
  for (const SchemaViolation& violation : verdict_on(*schema, "{\"" + name + "\":1}").violations) {
    CHECK(violation.pointer.size() < 1000);
    CHECK(violation.detail.size() < 1000);
  }
  CHECK(fault_of("{\"properties\":{\"" + name + "\":1}}").size() < 1000);
  CHECK(schema_of("{\"" + name + "\":1}")->ignored_keywords().empty());
}

TEST_CASE("SchemaHostile.TheLimitIsThatOfTheCaller") {
  const SchemaPointer schema = schema_of(R"({"items":{"type":"integer"}})");
  const std::string instance = "[" + repeated("1", 1000, ",") + "]";
  ValidationLimits limits;
  limits.work = 500;
  CHECK(verdict_on(*schema, instance, limits).outcome == Outcome::LimitReached);
  limits.work = 5000;
  CHECK(verdict_on(*schema, instance, limits).outcome == Outcome::Valid);
}

TEST_CASE("SchemaHostile.OneSchemaServesManyThreads") {
  const SchemaPointer schema =
      schema_of(R"~({"items":{"pattern":"^(a|b)*$","enum":["a","ab","b",1]},"uniqueItems":true})~");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      simdjson::dom::parser good;
      simdjson::dom::parser bad;
      const simdjson::dom::element valid = good.parse(std::string_view(R"(["ab","a"])")).value();
      const simdjson::dom::element invalid = bad.parse(std::string_view(R"(["ab","c"])")).value();
      for (int round = 0; round < 200; ++round) {
        if (validate(*schema, valid).outcome != Outcome::Valid) ++wrong;
        if (validate(*schema, invalid).outcome != Outcome::Invalid) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
}
