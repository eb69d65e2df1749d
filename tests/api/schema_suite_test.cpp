// The official JSON Schema Test Suite for draft-07, as Debian has it, optional parts and formats included.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "tests/api/schema_support.h"

namespace {

using namespace stele::api;
using namespace stele::tests;
namespace fs = std::filesystem;

const fs::path kSchemaSuite = "/usr/share/json-schema-test-suite/tests/draft7";

/// Where this validator differs, and why: by file, then the beginning of the description of a group or, behind a slash,
/// of a single test. Each must be needed.
const std::map<std::string, std::string>& suite_divergences() {
  static const std::map<std::string, std::string> table{
      {"definitions.json: invalid definition", "refers to the metaschema, which is another document"},
      {"definitions.json: valid definition", "refers to the metaschema, which is another document"},
      {"ref.json: remote ref, containing refs itself", "refers to the metaschema, which is another document"},
      {"refRemote.json: ", "references are followed within the document only"},
      {"optional/bignum.json: ", "numbers beyond 64-bit integers and doubles are refused before they are validated"},
      {"optional/content.json: ", "content… keywords are annotations, as later drafts have it"},
      {"optional/format/idn-hostname.json: ", "idn-hostname is not asserted"},
  };
  return table;
}

std::string suite_divergence_of(const std::string& test) {
  for (const auto& [beginning, reason] : suite_divergences()) {
    if (test.starts_with(beginning)) return beginning;
  }
  return {};
}

/// What the validator says of each test of a group; "fault" if the schema is refused.
std::string suite_outcome(simdjson::dom::element schema, simdjson::dom::element data) {
  const auto compiled = compile_schema(simdjson::minify(schema));
  if (std::holds_alternative<SchemaError>(compiled)) return "fault " + std::get<SchemaError>(compiled).detail;
  switch (validate(*std::get<SchemaPointer>(compiled), data).outcome) {
    case SchemaVerdict::Outcome::Valid:
      return "valid";
    case SchemaVerdict::Outcome::Invalid:
      return "invalid";
    default:
      return "limit";
  }
}

}  // namespace

TEST_CASE("SchemaSuite.Draft07IsPassedButForListedDivergences") {
  REQUIRE_MESSAGE(fs::exists(kSchemaSuite), "the package json-schema-test-suite is not installed");
  std::map<std::string, int> needed;
  int passed = 0;
  for (const auto& file : fs::recursive_directory_iterator(kSchemaSuite)) {
    if (file.path().extension() != ".json") continue;
    const std::string name = fs::relative(file.path(), kSchemaSuite).string();
    simdjson::dom::parser parser;
    simdjson::dom::array groups;
    if (parser.load(file.path().string()).get_array().get(groups) != simdjson::SUCCESS) {
      const std::string known = suite_divergence_of(name + ": ");
      CHECK_MESSAGE(!known.empty(), name, " cannot be parsed");
      ++needed[known];
      continue;
    }
    for (const simdjson::dom::element group : groups) {
      const std::string title = name + ": " + std::string(group["description"].get_string().value());
      const simdjson::dom::array tests = group["tests"].get_array().value();
      for (const simdjson::dom::element test : tests) {
        const std::string full = title + " / " + std::string(test["description"].get_string().value());
        const std::string expected = test["valid"].get_bool().value() ? "valid" : "invalid";
        const std::string outcome = suite_outcome(group["schema"].value(), test["data"].value());
        if (outcome == expected) {
          ++passed;
          continue;
        }
        const std::string known = suite_divergence_of(full);
        CHECK_MESSAGE(!known.empty(), full, ": ", outcome, " instead of ", expected);
        ++needed[known];
      }
    }
  }
  MESSAGE(passed, " tests passed");
  CHECK(passed > 500);
  for (const auto& [beginning, reason] : suite_divergences())
    CHECK_MESSAGE(needed[beginning] > 0, beginning, " is needed no more");
}
