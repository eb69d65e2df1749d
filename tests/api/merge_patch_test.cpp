#include "api/replay/merge_patch.h"

#include <doctest/doctest.h>

#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json/json_text.h"
#include "tests/support/one_thread.h"

using namespace stele::api;

namespace {

std::string text_of(const MergeDocument& document) {
  std::string text;
  document.append_to(text);
  CHECK(text.size() == document.bytes());
  return text;
}

std::string merged(std::string_view original, const std::vector<std::string>& patches) {
  MergeDocument document(original);
  for (const std::string& patch : patches) document.apply(patch);
  return text_of(document);
}

/// RFC 7396, section 2, as it stands there: values with members by name. The order of members is not compared.
struct Model {
  std::string_view text = "null";  ///< of what is no object
  bool object = false;
  std::map<char, Model> members;  ///< names have one letter
};

Model merge_patch(Model target, const Model& patch) {
  if (!patch.object) return patch;
  if (!target.object) target = {"", true, {}};
  for (const auto& [name, value] : patch.members) {
    if (!value.object && value.text == "null") {
      target.members.erase(name);
    } else {
      Model& member = target.members[name];
      member = merge_patch(std::move(member), value);
    }
  }
  return target;
}

void write(const Model& model, std::string& to) {
  if (!model.object) {
    to += model.text;
    return;
  }
  to += '{';
  for (const auto& [name, value] : model.members) {
    if (to.back() != '{') to += ',';
    to.append(1, '"').append(1, name).append("\":");
    write(value, to);
  }
  to += '}';
}

std::string written(const Model& model) {
  std::string text;
  write(model, text);
  return text;
}

/// With names a, b, … of one letter.
Model random_model(std::mt19937_64& random, int depth, unsigned names) {
  Model model;
  if (depth > 0 && random() % 3 != 0) {
    model = {"", true, {}};
    for (std::uint64_t i = random() % (names + 1); i > 0; --i) {
      model.members[static_cast<char>('a' + random() % names)] = random_model(random, depth - 1, names);
    }
    return model;
  }
  constexpr std::string_view scalars[] = {"null", "null", "1.0", "\"x\"", "[1,null,{\"a\":null}]", "true"};
  model.text = scalars[random() % std::size(scalars)];
  return model;
}

/// Whether a minified text says the same.
bool says(std::string_view text, const Model& model) {
  if (text.starts_with('{') != model.object) return false;
  if (!model.object) return text == model.text;
  JsonCursor cursor(text);
  cursor.enter();
  std::set<char> names;
  while (cursor.next_member()) {
    const std::string_view value = cursor.value().text;
    const char name = *(value.data() - 3);
    const auto member = model.members.find(name);
    if (member == model.members.end() || !names.insert(name).second || !says(value, member->second)) return false;
  }
  return names.size() == model.members.size();
}

}  // namespace

TEST_CASE("MergeDocument.DoesWhatTheAppendixOfRfc7396Says") {
  struct Case {
    std::string_view original, patch, result;
  };
  const Case cases[] = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", R"(null)", R"(null)"},
      {R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.original);
    CAPTURE(each.patch);
    CHECK(merged(each.original, {std::string(each.patch)}) == each.result);
  }
  // Section 3.
  CHECK(merged(R"({"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],)"
               R"("content":"This will be unchanged"})",
               {R"({"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},)"
                R"("tags":["example"]})"}) ==
        R"({"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged",)"
        R"("phoneNumber":"+01-123-456-7890"})");
}

TEST_CASE("MergeDocument.KeepsTokensAsWrittenAndDropsWhiteSpace") {
  CHECK(merged("{}", {" { \"a\" : 1.0 , \"b\":1e400 ,\"c\": [ 1 ,  \"x y\\u0041\" ] }\n"}) ==
        R"({"a":1.0,"b":1e400,"c":[1,"x y\u0041"]})");
  CHECK(merged(" { \"a\" : { \"b\" : -0 } } ", {}) == R"({"a":{"b":-0}})");
  CHECK(merged(" 1.50 ", {}) == "1.50");
  CHECK(merged("{}", {" [ 1, { \"a\": null } ] "}) == R"([1,{"a":null}])");
}

TEST_CASE("MergeDocument.ComparesNamesByWhatTheyMean") {
  CHECK(merged(R"({"a":1})", {R"({"\u0061":2})"}) == R"({"a":2})");
  CHECK(merged(R"({"\u0061":1})", {R"({"a":2})"}) == R"({"\u0061":2})");
  CHECK(merged(R"({"é😀":1})", {R"({"\u00e9\ud83d\ude00":null})"}) == "{}");
  CHECK(merged(R"({"a\/b\n":1})", {R"({"a/b\u000A":2,"a\\/b":3})"}) == R"({"a\/b\n":2,"a\\/b":3})");
  CHECK(merged(R"({"":1," ":2})", {R"({"":null})"}) == R"({" ":2})");
}

TEST_CASE("MergeDocument.TakesTheLastOfRepeatedNames") {
  CHECK(merged("{}", {R"({"a":{"x":1},"a":{"y":2}})"}) == R"({"a":{"y":2}})");
  CHECK(merged(R"({"a":{"c":2}})", {R"({"a":null,"\u0061":{"b":1}})"}) == R"({"a":{"c":2,"b":1}})");
  CHECK(merged(R"({"a":7})", {R"({"a":1,"a":null})"}) == "{}");
  CHECK(merged(R"({"a":1,"b":2,"a":3})", {}) == R"({"b":2,"a":3})");
  std::string many = R"({"a":{"x":1})";
  for (int i = 0; i < 100; ++i) many += ",\"m" + std::to_string(i % 50) + "\":" + std::to_string(i);
  MergeDocument document("{}");
  document.apply(many + R"(,"\u0061":{"y":2}})");
  const std::string text = text_of(document);
  CHECK(text.starts_with(R"({"m0":50,"m1":51,)"));
  CHECK(text.ends_with(R"(,"m49":99,"\u0061":{"y":2}})"));
}

TEST_CASE("MergeDocument.ManyMembersComeAndGo") {
  MergeDocument document("{}");
  const auto member = [](int i) { return "\"member" + std::to_string(i) + "\":"; };
  for (int i = 0; i < 5000; ++i) document.apply("{" + member(i) + std::to_string(i) + "}");
  for (int i = 0; i < 5000; ++i) {
    if (i % 100 != 0) document.apply("{" + member(i) + "null}");
  }
  std::string expected;
  for (int i = 0; i < 5000; i += 100) expected += (i == 0 ? "" : ",") + member(i) + std::to_string(i);
  CHECK(text_of(document) == "{" + expected + "}");
  document.apply("{" + member(100) + "\"again\"," + member(4901) + "{}}");
  const std::string text = text_of(document);
  CHECK(text.find("\"member100\":\"again\"") != std::string::npos);
  CHECK(text.ends_with(",\"member4901\":{}}"));
  for (int i = 0; i < 5000; ++i) document.apply("{" + member(i) + "null}");
  CHECK(text_of(document) == "{}");
}

TEST_CASE("MergeDocument.BearsAbsurdNesting") {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  deep += "1" + std::string(100'000, '}');
  MergeDocument document(deep);
  CHECK(text_of(document) == deep);
  document.apply(deep);
  CHECK(text_of(document) == deep);
  document.apply(R"({"a":null})");
  CHECK(text_of(document) == "{}");
}

TEST_CASE("MergeDocument.AgreesWithTheAlgorithmOfRfc7396" * stele::tests::one_thread()) {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const unsigned names = round % 3 == 0 ? 26 : 4;
    Model model = random_model(random, 4, names);
    MergeDocument document(written(model));
    REQUIRE(says(text_of(document), model));
    for (int i = 0; i < 30; ++i) {
      const Model patch = random_model(random, 4, names);
      const std::string patch_text = written(patch);
      CAPTURE(patch_text);
      model = merge_patch(std::move(model), patch);
      CAPTURE(written(model));
      document.apply(patch_text);
      REQUIRE(says(text_of(document), model));
      const std::string once = text_of(document);
      document.apply(patch_text);
      REQUIRE(text_of(document) == once);
    }
  }
}

TEST_CASE("MergeDocument.NeverReadsOutsideInvalidText") {
  for (const std::string& text : std::initializer_list<std::string>{
           "",         " ",      "\"",      "\"\\", "{", "{\"a", "{\"a\"", "{\"a\":", "[",  "[1", "[1,",
           "{\"a\":[", "{\"\\u", "{\"a\"}", "]",    "}", ":",    "\\",     "{1:2}",   "{{", ",",  "{]"}) {
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view view(exact.data(), exact.size());
    MergeDocument document(view);
    document.apply(view);
    document.apply("{}");
    CHECK(text_of(document).size() == document.bytes());
  }
}
