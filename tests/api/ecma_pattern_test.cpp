#include "api/schemas/ecma_pattern.h"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

using namespace stele::api;

namespace {

std::string fault_of_pattern(std::string_view source) {
  const auto compiled = EcmaPattern::compile(source);
  const auto* const fault = std::get_if<std::string>(&compiled);
  return fault == nullptr ? "" : *fault;
}

bool pattern_found(std::string_view source, std::string_view text) {
  const auto compiled = EcmaPattern::compile(source);
  if (const auto* const why = std::get_if<std::string>(&compiled)) {
    FAIL(std::string(source) << ": " << *why);
  }
  WorkBudget work(std::numeric_limits<std::uint64_t>::max());
  return std::get<std::shared_ptr<const EcmaPattern>>(compiled)->found_in(text, work);
}

}  // namespace

TEST_CASE("EcmaPattern.MeansWhatEcmaScriptMeans") {
  CHECK(pattern_found("b", "abc"));
  CHECK_FALSE(pattern_found("^b", "abc"));
  CHECK_FALSE(pattern_found("a$", "a\n"));
  CHECK_FALSE(pattern_found("^b$", "a\nb"));
  CHECK_FALSE(pattern_found("^.$", "\n"));
  CHECK_FALSE(pattern_found("^.$", "\u2028"));
  CHECK(pattern_found("^.$", "😀"));
  CHECK(pattern_found("^\\s$", "\u00a0"));
  CHECK(pattern_found("^\\s$", "\ufeff"));
  CHECK(pattern_found("^[\\s]$", "\v"));
  CHECK_FALSE(pattern_found("^\\S$", "\u2003"));
  CHECK_FALSE(pattern_found("^[\\S]$", "\u3000"));
  CHECK_FALSE(pattern_found("^\\d$", "٣"));
  CHECK_FALSE(pattern_found("^\\w$", "é"));
  CHECK(pattern_found("^[^\\W_]+$", "a1"));
  CHECK(pattern_found("^\\u{1F600}\\ud83d\\ude00$", "😀😀"));
  CHECK(pattern_found("^\\x41\\cJ\\t\\0$", std::string_view("A\n\t\0", 4)));
  CHECK(pattern_found("^\\/\\-\\.\\$$", "/-.$"));
  CHECK(pattern_found("^(?<year>\\d{4})-(?:\\d{2})$", "2024-05"));
  CHECK(pattern_found("^\\p{Lu}\\p{Letter}\\p{Script=Greek}\\P{L}$", "Aé\u03b11"));
  CHECK(pattern_found("^[\\p{Ll}\\d]+$", "é5"));
  CHECK(pattern_found("^[\\b]$", "\b"));
  CHECK(pattern_found("\\bfoo\\b", "a foo b"));
  CHECK(pattern_found("^[^]$", "\n"));
  CHECK_FALSE(pattern_found("[]", "a"));
  CHECK(pattern_found("^a{2}b{1,}c{0,1}?$", "aabb"));
  CHECK(pattern_found("^{$", "{"));
  CHECK(pattern_found("^a{,2}$", "a{,2}"));
  CHECK(pattern_found("^[a-]]$", "-]"));
  CHECK(pattern_found("^[\\w-z]$", "-"));
  CHECK(pattern_found("^[[:alpha:]]$", "a]"));
  CHECK_FALSE(pattern_found("^[[:alpha:]]$", "b]"));
  CHECK(pattern_found("", ""));
  CHECK(pattern_found("a||b", ""));
}

TEST_CASE("EcmaPattern.WhatCannotBeMatchedInLinearTimeIsRefused") {
  CHECK(fault_of_pattern("(?=a)").starts_with("This pattern has lookaround"));
  CHECK(fault_of_pattern("(?<!a)b").starts_with("This pattern has lookaround"));
  CHECK(fault_of_pattern("(a)\\1").starts_with("This pattern has back references"));
  CHECK(fault_of_pattern("(?<x>a)\\k<x>").starts_with("This pattern has back references"));
  CHECK(fault_of_pattern("(((a{1000}){1000}){1000})").starts_with("This pattern cannot be taken"));
  CHECK(fault_of_pattern("\\p{NoSuchScript}").starts_with("This pattern cannot be taken"));
}

TEST_CASE("EcmaPattern.WhatIsNoPatternIsRefused") {
  for (const char* const source :
       {"(",       ")",     "[",      "[a",   "[\\",      "\\",      "*",       "+a",          "a**",
        "a{1}{2}", "^*",    "\\b+",   "(?a)", "(?P<n>a)", "(?i)a",   "(?<1>a)", "(?<n",        "\\Z",
        "\\A",     "\\z",   "\\Q",    "\\e",  "\\a",      "\\x4",    "\\u12",   "\\u{110000}", "\\01",
        "\\c1",    "[b-a]", "a{2,1}", "\\p{", "\\p{}",    "\\p{a b}"}) {
    CHECK_MESSAGE(fault_of_pattern(source).starts_with("This is no regular expression"), source);
  }
  CHECK(fault_of_pattern(std::string(300, '(') + std::string(300, ')')).starts_with("This is no regular expression"));
}

TEST_CASE("EcmaPattern.IsChargedByTheLengthOfTheText") {
  const auto compiled = EcmaPattern::compile("^(a|b)*$");
  const auto& pattern = *std::get<std::shared_ptr<const EcmaPattern>>(compiled);
  WorkBudget little(100);
  CHECK_FALSE(pattern.found_in(std::string(1'000'000, 'a'), little));
  CHECK(little.exhausted());
}
