// The scanner and the diagnosis, beside simdjson.

#include "api/json/json_text.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <random>
#include <string>
#include <vector>

#include "api/json/json_diagnosis.h"

using namespace stele::api;
namespace dom = simdjson::dom;

namespace {

/// Walks both side by side and checks that every span parses to the element simdjson sees there.
void compare(const dom::element& element, JsonCursor& cursor);

void compare_span(const dom::element& element, const JsonSpan& span) {
  dom::parser parser;
  const simdjson::padded_string padded(span.text);
  dom::element again;
  REQUIRE(parser.parse(padded).get(again) == simdjson::SUCCESS);
  REQUIRE(simdjson::minify(again) == simdjson::minify(element));
  REQUIRE(std::string_view(" \t\r\n").find(span.text.front()) == std::string_view::npos);
  REQUIRE(std::string_view(" \t\r\n").find(span.text.back()) == std::string_view::npos);
}

void compare(const dom::element& element, JsonCursor& cursor) {
  dom::array array;
  dom::object object;
  if (element.get(array) == simdjson::SUCCESS) {
    cursor.enter();
    for (const auto child : array) {
      REQUIRE(cursor.next_element());
      compare(child, cursor);
    }
    REQUIRE(!cursor.next_element());
  } else if (element.get(object) == simdjson::SUCCESS) {
    cursor.enter();
    for (const auto field : object) {
      REQUIRE(cursor.next_member());
      compare(field.value, cursor);
    }
    REQUIRE(!cursor.next_member());
  } else {
    compare_span(element, cursor.value());
  }
}

std::string random_json(std::mt19937_64& random, int depth) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto space = [&] { return std::string(static_cast<std::size_t>(pick(3)), " \n\r\t"[pick(4)]); };
  const auto string = [&] {
    static const std::vector<std::string> parts = {"a",   "\\\"",    "\\\\",           "{", "}", "[", "]",   ",",
                                                   ":",   "\\u0041", "\\ud83d\\ude00", "ä", "😀", " ", "\\n", "/",
                                                   "\\/", "~"};
    std::string text = "\"";
    for (int i = pick(6); i > 0; --i) text += parts[static_cast<std::size_t>(pick(static_cast<int>(parts.size())))];
    return text + "\"";
  };
  const int kind = depth == 0 ? 2 + pick(3) : pick(5);
  if (kind == 0 || kind == 1) {
    std::string text(1, kind == 0 ? '[' : '{');
    const int count = pick(4);
    for (int i = 0; i < count; ++i) {
      if (i > 0) text += ",";
      text += space();
      if (kind == 1) text += string() + space() + ":" + space();
      text += random_json(random, depth - 1) + space();
    }
    return text + space() + (kind == 0 ? "]" : "}");
  }
  if (kind == 2) return string();
  static const std::vector<std::string> scalars = {
      "0", "-0", "1", "-1.5e+3", "true", "false", "null", "18446744073709551615", "0.1E-7"};
  return scalars[static_cast<std::size_t>(pick(static_cast<int>(scalars.size())))];
}

JsonSpan span_of(std::string_view text) { return JsonCursor(text).value(); }

}  // namespace

TEST_CASE("JsonCursor.AgreesWithSimdjsonOnRandomText") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = " " + random_json(random, 5) + "\n";
    CAPTURE(text);
    dom::parser parser;
    dom::element root;
    REQUIRE(parser.parse(text).get(root) == simdjson::SUCCESS);
    JsonCursor walking(text);
    compare(root, walking);
    compare_span(root, span_of(text));
    std::string minified;
    append_minified(minified, text);
    std::string expected(text.size() + 64, '\0');
    std::size_t size = 0;
    REQUIRE(simdjson::minify(text.data(), text.size(), expected.data(), size) == simdjson::SUCCESS);
    REQUIRE(minified == expected.substr(0, size));
    const JsonDiagnosis diagnosis = diagnose_json(text);
    REQUIRE(!diagnosis.broken);
    REQUIRE(diagnosis.values.empty());
  }
}

TEST_CASE("JsonCursor.SpansKeepBytesAndCountDepth") {
  CHECK(span_of("  { \"a\" : [ 1 , 2 ] }  ").text == "{ \"a\" : [ 1 , 2 ] }");
  CHECK(span_of("  { \"a\" : [ 1 , 2 ] }  ").depth == 2);
  CHECK(span_of("17 ").text == "17");
  CHECK(span_of("17").depth == 0);
  CHECK(span_of(R"("]}\"[{")").text == R"("]}\"[{")");
  CHECK(span_of(R"("]}\"[{")").depth == 0);
  CHECK(span_of("[[],[[]],{}]").depth == 3);
  CHECK(span_of(std::string(500, '[') + std::string(500, ']')).depth == 500);
}

TEST_CASE("JsonCursor.NeverReadsOutsideInvalidText") {
  for (const std::string& text : std::initializer_list<std::string>{
           "", " ", "\"", "\"\\", "{", "{\"a", "{\"a\"", "{\"a\":", "[", "[1", "[1,", "{\"a\":[", "]", "}", "\\"}) {
    // An exact heap copy, so that a sanitizer sees every stray read.
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view view(exact.data(), exact.size());
    (void)span_of(view);
    JsonCursor cursor(view);
    cursor.enter();
    for (int i = 0; i < 4; ++i) {
      if (cursor.next_member()) (void)cursor.value();
      if (cursor.next_element()) (void)cursor.value();
    }
    std::string minified;
    append_minified(minified, view);
  }
}

TEST_CASE("JsonDiagnosis.TellsBrokenTextWithItsPlace") {
  const std::pair<std::string, std::size_t> cases[] = {
      {"", 0},
      {"  ", 2},
      {"{", 1},
      {"[1,]", 3},
      {"{\"a\":1,}", 7},
      {"{\"a\" 1}", 5},
      {"1 2", 2},
      {"nul", 0},
      {"\"\x01\"", 1},
      {"\"\\x\"", 2},
      {"01", 1},
      {"1.", 2},
      {"+1", 0},
      {".5", 0},
      {"tru", 0},
      {"[1", 2},
      {"-", 1},
      {"--1", 1},
      {"NaN", 0},
      {"1e", 2},
      {"\"abc", 4},
      {"{\"a\":1}}", 7},
      {"\"\\u12\"", 5},
      {"\"\\uZZZZ\"", 3},
      {"{1:2}", 1},
      {"[1e999,2,}", 9},
      {"{,}", 1},
      {"[,1]", 1},
      {"{}{}", 2},
      {"\"\\", 2},
      {"\xef\xbb\xbf{}", 0},
      {"'a'", 0},
      {"[1 2]", 3},
      {"{\"a\"}", 4},
  };
  for (const auto& [text, offset] : cases) {
    CAPTURE(text);
    const JsonDiagnosis diagnosis = diagnose_json(text);
    REQUIRE(diagnosis.broken);
    CHECK(diagnosis.broken->offset == offset);
    CHECK(!diagnosis.broken->detail.empty());
    dom::parser parser;
    CHECK(parser.parse(text).error() != simdjson::SUCCESS);
  }
  CHECK(diagnose_json("\"\xff\"").broken);
}

TEST_CASE("JsonDiagnosis.PointsAtValuesThatAreTooMuch") {
  const auto pointer = [](std::string_view text) {
    const JsonDiagnosis diagnosis = diagnose_json(text);
    if (diagnosis.broken) return "broken: " + diagnosis.broken->detail;
    std::string all;
    for (const auto& error : diagnosis.values) all += error.pointer + ";";
    return all;
  };
  CHECK(pointer("1e999") == ";");
  CHECK(pointer(R"({"a":{"b":[0,18446744073709551616]}})") == "/a/b/1;");
  CHECK(pointer(R"({"a":-9223372036854775809,"b":-9223372036854775808,"c":18446744073709551615})") == "/a;");
  CHECK(pointer(R"([[],{},"\ud800"])") == "/2;");
  CHECK(pointer(R"({"x":["\udc00","\ud800\u0041","\ud83d\ude00","\ud800\ud800"]})") == "/x/0;/x/1;/x/3;");
  CHECK(pointer(R"({"data":{"\ud800":1}})") == "/data;");
  CHECK(pointer(R"({"a/b~c":1e400})") == "/a~1b~0c;");
  CHECK(pointer("[1e-999,-0,-0.0,0e99999]") == "");
  CHECK(pointer("1.8e308") == ";");
  CHECK(pointer(std::string(1024, '[') + std::string(1024, ']')) == "");
  CHECK(pointer(std::string(1025, '[') + std::string(1025, ']')).ends_with(";"));
}

TEST_CASE("JsonDiagnosis.TellsAFaultOnce") {
  CHECK(diagnose_json(R"("\udc00\ud800")").values.size() == 1);
  // Of one object two names, and between them a value.
  CHECK(diagnose_json(R"({"\ud800":"\ud800","\udc00":1})").values.size() == 2);
  std::string many = "[";
  for (int i = 0; i < 30; ++i) many += R"("\ud800\ud800\ud800",)";
  CHECK(diagnose_json(many + "1]").values.size() == 20);
}

TEST_CASE("JsonDiagnosis.BearsAbsurdNesting") {
  const std::string text(2'000'000, '[');
  CHECK(diagnose_json(text).broken);
  CHECK(diagnose_json(text + std::string(2'000'000, ']')).values.size() == 1);
}

TEST_CASE("JsonDiagnosis.AgreesWithSimdjsonOnMutatedText") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = random_json(random, 3);
    for (int n = static_cast<int>(random() % 3); n >= 0; --n) {
      const std::size_t at = random() % text.size();
      constexpr std::string_view kBytes = "{}[]\",:\\0123456789eE+-.truefalsn \n\x01\xff";
      text[at] = kBytes[random() % kBytes.size()];
    }
    CAPTURE(text);
    dom::parser parser;
    const bool good = parser.parse(text).error() == simdjson::SUCCESS;
    const JsonDiagnosis diagnosis = diagnose_json(text);
    REQUIRE(good == (!diagnosis.broken && diagnosis.values.empty()));
  }
}
