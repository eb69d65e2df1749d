// What another validator, Ajv, says of the same schemas and instances: the official suite, our own cases for 2020-12,
// and GitHub's schema of its webhook payloads with examples of them.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/schemas/compiled_schema.h"
#include "api/schemas/schema_validation.h"
#include "tests/contract/listen_process.h"
#include "tests/support/build_paths.h"
#include "tests/support/client_script.h"

using namespace stele::api;
using namespace stele::tests;
namespace fs = std::filesystem;

namespace {

/// A schema and what is to be validated against it, as texts.
struct SchemaCase {
  std::string name;
  std::string schema;
  std::vector<std::string> instances;
};

const fs::path kOfficialSuite = "/usr/share/json-schema-test-suite/tests/draft7";

std::string our_verdict(const CompiledSchema& schema, simdjson::dom::element instance) {
  switch (validate(schema, instance).outcome) {
    case SchemaVerdict::Outcome::Valid:
      return "true";
    case SchemaVerdict::Outcome::Invalid:
      return "false";
    default:
      return "limit";
  }
}

/// The official suite, without the file of numbers that no event may hold.
std::vector<SchemaCase> official_cases() {
  std::vector<SchemaCase> cases;
  for (const auto& file : fs::recursive_directory_iterator(kOfficialSuite)) {
    if (file.path().extension() != ".json") continue;
    simdjson::dom::parser parser;
    simdjson::dom::array groups;
    if (parser.load(file.path().string()).get_array().get(groups) != simdjson::SUCCESS) continue;
    for (const simdjson::dom::element group : groups) {
      SchemaCase one;
      one.name = file.path().filename().string() + ": " + std::string(group["description"].get_string().value());
      one.schema = simdjson::minify(group["schema"].value());
      const simdjson::dom::array tests = group["tests"].get_array().value();
      for (const simdjson::dom::element test : tests) one.instances.push_back(simdjson::minify(test["data"].value()));
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

std::vector<SchemaCase> own_cases() {
  std::vector<SchemaCase> cases;
  simdjson::dom::parser parser;
  const simdjson::dom::array groups = parser.load(source_path("tests/data/schemas-2020-12.json")).get_array().value();
  for (const simdjson::dom::element group : groups) {
    SchemaCase one{
        std::string(group["description"].get_string().value()), simdjson::minify(group["schema"].value()), {}};
    for (const char* const member : {"valid", "invalid"}) {
      const simdjson::dom::array instances = group[member].get_array().value();
      for (const simdjson::dom::element instance : instances) one.instances.push_back(simdjson::minify(instance));
    }
    cases.push_back(std::move(one));
  }
  return cases;
}

/// Compares one verdict after the other; `known` says by the beginning of a case's name why the two differ there.
void compare_with_ajv(const std::string& draft, const std::vector<SchemaCase>& cases,
                      const std::map<std::string, std::string>& known, std::size_t agreed_least) {
  std::string input;
  for (const SchemaCase& one : cases) {
    input += R"({"schema":)" + one.schema + R"(,"instances":[)";
    for (std::size_t i = 0; i < one.instances.size(); ++i) input += (i > 0 ? "," : "") + one.instances[i];
    input += "]}\n";
  }
  const ProcessResult result = run_client_script("schema_verdicts", {draft}, input);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const std::vector<std::string> answers = lines_of(result.out);
  REQUIRE_EQ(answers.size(), cases.size());

  std::size_t agreed = 0;
  std::map<std::string, int> needed;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::string ours;
    const auto compiled = compile_schema(cases[i].schema);
    if (const auto* const fault = std::get_if<SchemaError>(&compiled)) {
      ours = '"' + fault->detail + '"';
    } else {
      for (const std::string& instance : cases[i].instances) {
        simdjson::dom::parser parser;
        const simdjson::dom::element element = parser.parse(instance).value();
        ours += (ours.empty() ? "[" : ",") +
                our_verdict(*std::get<std::shared_ptr<const CompiledSchema>>(compiled), element);
      }
      ours += "]";
    }
    // Both refuse it, in their own words.
    const bool both_refuse = ours.starts_with('"') && answers[i].starts_with('"');
    if (ours == answers[i] || both_refuse) {
      agreed += cases[i].instances.size();
      continue;
    }
    std::string why;
    for (const auto& [beginning, reason] : known) {
      if (cases[i].name.starts_with(beginning)) why = beginning;
    }
    CHECK_MESSAGE(!why.empty(), cases[i].name, ": ", cases[i].schema, ": ours ", ours, ", Ajv ", answers[i]);
    ++needed[why];
  }
  MESSAGE(agreed, " verdicts agree");
  CHECK(agreed >= agreed_least);
  for (const auto& [beginning, reason] : known) CHECK_MESSAGE(needed[beginning] > 0, beginning, " is needed no more");
}

}  // namespace

TEST_CASE("SchemaAgreement.AjvSaysTheSameOfTheOfficialSuite") {
  REQUIRE_MESSAGE(fs::exists(kOfficialSuite), "the package json-schema-test-suite is not installed");
  compare_with_ajv("draft-07", official_cases(),
                   {{"definitions.json: ", "it refers to the metaschema, which Ajv knows"},
                    {"ref.json: remote ref, containing refs itself", "it refers to the metaschema, which Ajv knows"},
                    {"ref.json: ref overrides any sibling keywords", "Ajv lets them hold, also in draft-07"},
                    {"idn-email.json: ", "Ajv does not assert it"},
                    {"iri.json: ", "Ajv does not assert it"},
                    {"iri-reference.json: ", "Ajv does not assert it"}},
                   500);
}

TEST_CASE("SchemaAgreement.AjvSaysTheSameOfTheCasesFor202012") {
  compare_with_ajv("2020-12", own_cases(),
                   {{"$dynamicRef to what is no dynamic anchor", "Ajv follows it to the whole schema, without end"},
                    {"unevaluatedItems and contains", "Ajv takes all items for evaluated where there is contains"}},
                   300);
}

TEST_CASE("SchemaAgreement.AjvSaysTheSameOfPayloadsOfGitHub") {
  const ProcessResult result = run_client_script("octokit_verdicts");
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const std::vector<std::string> lines = lines_of(result.out);
  REQUIRE(lines.size() > 300);
  const auto compiled = compile_schema(lines.front());
  const auto* const fault = std::get_if<SchemaError>(&compiled);
  REQUIRE_MESSAGE(fault == nullptr, fault->pointer, ": ", fault->detail);
  const CompiledSchema& schema = *std::get<std::shared_ptr<const CompiledSchema>>(compiled);

  int valid = 0;
  int invalid = 0;
  simdjson::dom::parser parser;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const simdjson::dom::element line = parser.parse(lines[i]).value();
    const bool theirs = line["valid"].get_bool().value();
    ++(theirs ? valid : invalid);
    CHECK_MESSAGE(our_verdict(schema, line["payload"].value()) == (theirs ? "true" : "false"), "payload ", i, ", ",
                  std::string(line["name"].get_string().value()));
  }
  CHECK_EQ(valid, 276);
  CHECK_EQ(invalid, 53);
}
