#include "api/json/json_patch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "api/json/json_string.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"

using namespace stele::api;

namespace {

/// A JSON value, and what RFC 6902 does to it, as simply as can be.
struct Json {
  enum class Kind { Scalar, Array, Object } kind = Kind::Scalar;
  std::string text = "null";  ///< a scalar as written; of a string, a quote and what it means
  std::vector<Json> elements;
  std::map<std::string, Json> members;

  bool operator==(const Json&) const = default;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Json value() {
    space();
    Json json;
    if (text_[at_] == '{') {
      json = {Json::Kind::Object, "", {}, {}};
      for (++at_, space(); text_[at_] != '}'; space()) {
        const std::string name = string();
        space();
        ++at_;
        json.members.insert_or_assign(name, value());
        space();
        if (text_[at_] == ',') ++at_;
      }
      ++at_;
    } else if (text_[at_] == '[') {
      json = {Json::Kind::Array, "", {}, {}};
      for (++at_, space(); text_[at_] != ']'; space()) {
        json.elements.push_back(value());
        space();
        if (text_[at_] == ',') ++at_;
      }
      ++at_;
    } else if (text_[at_] == '"') {
      json.text = '"' + string();
    } else {
      const std::size_t end = std::min(text_.find_first_of(",]} \n\t\r", at_), text_.size());
      json.text = text_.substr(at_, end - at_);
      at_ = end;
    }
    return json;
  }

 private:
  void space() {
    while (at_ < text_.size() && std::string_view(" \n\r\t").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  std::string string() {
    const std::size_t begin = at_++;
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
    std::string meaning;
    append_decoded_string(meaning, text_.substr(begin, at_ - begin));
    return meaning;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Json json_of(std::string_view text) { return Reader(text).value(); }

std::optional<std::vector<std::string>> tokens_of(const std::string& pointer) {
  std::vector<std::string> tokens;
  if (pointer.empty()) return tokens;
  if (pointer[0] != '/') return std::nullopt;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      tokens.emplace_back();
    } else if (pointer[i] == '~') {
      if (++i == pointer.size() || (pointer[i] != '0' && pointer[i] != '1')) return std::nullopt;
      tokens.back() += pointer[i] == '0' ? '~' : '/';
    } else {
      tokens.back() += pointer[i];
    }
  }
  return tokens;
}

/// At most `last`.
std::optional<std::size_t> index_of(const std::string& token, std::size_t last) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  if (error != std::errc() || end != token.data() + token.size() || std::to_string(index) != token || index > last) {
    return std::nullopt;
  }
  return index;
}

Json* child_of(Json& json, const std::string& token) {
  if (json.kind == Json::Kind::Object) {
    const auto found = json.members.find(token);
    return found == json.members.end() ? nullptr : &found->second;
  }
  if (json.kind != Json::Kind::Array || json.elements.empty()) return nullptr;
  const auto index = index_of(token, json.elements.size() - 1);
  return index ? &json.elements[*index] : nullptr;
}

Json* find(Json& root, const std::vector<std::string>& tokens) {
  Json* at = &root;
  for (std::size_t i = 0; i < tokens.size() && at != nullptr; ++i) at = child_of(*at, tokens[i]);
  return at;
}

bool add(Json& root, std::vector<std::string> tokens, Json value) {
  if (tokens.empty()) {
    root = std::move(value);
    return true;
  }
  const std::string last = tokens.back();
  tokens.pop_back();
  Json* const parent = find(root, tokens);
  if (parent == nullptr || parent->kind == Json::Kind::Scalar) return false;
  if (parent->kind == Json::Kind::Object) {
    parent->members.insert_or_assign(last, std::move(value));
    return true;
  }
  auto& elements = parent->elements;
  const auto index = last == "-" ? elements.size() : index_of(last, elements.size());
  if (!index) return false;
  elements.insert(elements.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
  return true;
}

bool remove(Json& root, std::vector<std::string> tokens) {
  if (tokens.empty() || find(root, tokens) == nullptr) return false;
  const std::string last = tokens.back();
  tokens.pop_back();
  Json& parent = *find(root, tokens);
  if (parent.kind == Json::Kind::Object) {
    parent.members.erase(last);
  } else {
    parent.elements.erase(parent.elements.begin() +
                          static_cast<std::ptrdiff_t>(*index_of(last, parent.elements.size() - 1)));
  }
  return true;
}

bool apply_operation(Json& root, Json& operation) {
  const auto text = [&](const char* name) -> std::optional<std::string> {
    const Json* const member = child_of(operation, name);
    if (member == nullptr || !member->text.starts_with('"')) return std::nullopt;
    return member->text.substr(1);
  };
  const std::string op = text("op").value_or("");
  const auto path = tokens_of(text("path").value_or("none"));
  if (!path) return false;
  const Json* const value = child_of(operation, "value");
  if (op == "remove") return remove(root, *path);
  if (op == "move" || op == "copy") {
    const auto from = tokens_of(text("from").value_or("none"));
    if (!from || find(root, *from) == nullptr) return false;
    Json moved = *find(root, *from);
    if (op == "move" && !remove(root, *from)) return false;
    return add(root, *path, std::move(moved));
  }
  if (value == nullptr) return false;
  if (op == "add") return add(root, *path, *value);
  Json* const target = find(root, *path);
  if (target == nullptr) return false;
  if (op == "test") return *target == *value;
  if (op != "replace") return false;
  *target = Json(*value);
  return true;
}

/// None if it cannot be applied.
std::optional<Json> patched(Json root, std::string_view patch) {
  Json operations = json_of(patch);
  for (Json& operation : operations.elements) {
    if (!apply_operation(root, operation)) return std::nullopt;
  }
  return root;
}

std::string patch_of(std::string_view original, std::string_view changed) {
  std::string patch;
  append_json_patch(patch, original, changed);
  return patch;
}

std::string random_text(std::mt19937_64& random, int depth) {
  const auto pick = [&](std::size_t n) { return random() % n; };
  const std::uint64_t kind = depth > 0 ? pick(6) : 4;
  std::string text;
  const std::string space = pick(8) == 0 ? " \n" : "";
  if (kind < 2) {
    static const std::vector<std::string> names = {"a", "\\u0061", "b", "", "c/d", "m~n", "\\\"", "\\n", "é", "0", "-"};
    for (std::uint64_t i = pick(6); i > 0; --i) {
      text +=
          (text.empty() ? "" : ",") + space + '"' + names[pick(names.size())] + "\":" + random_text(random, depth - 1);
    }
    return "{" + text + space + "}";
  }
  if (kind < 4) {
    for (std::uint64_t i = pick(6); i > 0; --i) text += (text.empty() ? "" : ",") + random_text(random, depth - 1);
    return "[" + space + text + "]";
  }
  static const std::vector<std::string> scalars = {"null", "true",    "1",     "1.0", "1e400", "\"x\"",
                                                   "\"\"", "\"\\n\"", "\"{\"", "{}",  "[]",    "[ 1,{\"a\" : 2}]"};
  return space + scalars[pick(scalars.size())];
}

/// `text` with some of its scalars exchanged.
std::string changed_text(std::mt19937_64& random, std::string text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 3, "\"x\"") == 0 && random() % 3 == 0) text.replace(at, 3, random_text(random, 1));
    if (text.compare(at, 4, "true") == 0 && random() % 3 == 0) text.replace(at, 4, random_text(random, 2));
    if (text.compare(at, 4, "[]") == 0 && random() % 3 == 0) text.replace(at, 4, "[1,2,3]");
  }
  return text;
}

}  // namespace

TEST_CASE("JsonPatch.NamesWhatDiffers") {
  CHECK(patch_of("{}", "{}") == "[]");
  CHECK(patch_of("1", "2") == R"([{"op":"replace","path":"","value":2}])");
  CHECK(patch_of("1", "1.0") == R"([{"op":"replace","path":"","value":1.0}])");
  CHECK(patch_of(R"({"a":1,"b":2})", R"({"b":3,"c":4})") ==
        R"([{"op":"remove","path":"/a"},{"op":"replace","path":"/b","value":3},{"op":"add","path":"/c","value":4}])");
  CHECK(patch_of(R"({"a":{"b":[1,2,3]}})", R"({"a":{"b":[1,5,3]}})") ==
        R"([{"op":"replace","path":"/a/b/1","value":5}])");
  CHECK(patch_of("[1,2,3,4]", "[1,4]") == R"([{"op":"remove","path":"/2"},{"op":"remove","path":"/1"}])");
  CHECK(patch_of("[1,4]", "[1,2,3,4]") == R"([{"op":"add","path":"/1","value":2},{"op":"add","path":"/2","value":3}])");
  CHECK(patch_of("[1]", "{}") == R"([{"op":"replace","path":"","value":{}}])");
}

TEST_CASE("JsonPatch.SaysNothingOfWhatMeansTheSame") {
  CHECK(patch_of(R"({"a":1,"b":[ ]})", R"( { "b" : [], "\u0061":1 } )") == "[]");
  CHECK(patch_of(R"({"a":"\u0041"})", R"({"a":"A"})") == "[]");
  CHECK(patch_of(R"({"a":7,"a":1})", R"({"a":1})") == "[]");
  CHECK(patch_of(R"([{"a":1,"b":2},3])", R"([{"b":2,"a":1},3])") == "[]");
}

TEST_CASE("JsonPatch.EscapesItsPaths") {
  CHECK(patch_of(R"({"a/b":{"m~n":{"\"\\\n":1}}})", R"({"a/b":{"m~n":{"\"\\\n":2}}})") ==
        R"([{"op":"replace","path":"/a~1b/m~0n/\"\\\n","value":2}])");
  CHECK(patch_of(R"({"":1})", R"({"":2,"\u00e9":3})") ==
        R"([{"op":"replace","path":"/","value":2},{"op":"add","path":"/é","value":3}])");
}

TEST_CASE("JsonPatch.WhatItSaysMakesOneOfTheOther") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  std::size_t differences = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string original = random_text(random, 5);
    const std::string changed = i % 4 == 0 ? random_text(random, 5) : changed_text(random, original);
    CAPTURE(original);
    CAPTURE(changed);
    const std::string patch = patch_of(original, changed);
    CAPTURE(patch);
    const auto made = patched(json_of(original), patch);
    REQUIRE(made);
    REQUIRE(*made == json_of(changed));
    REQUIRE((patch == "[]") == (json_of(original) == json_of(changed)));
    differences += patch != "[]";
  }
  CHECK(differences > 1000);
}

TEST_CASE("JsonPatch.StaysShortWhereMuchDiffers") {
  std::string original = "[";
  std::string changed = "[";
  for (int i = 0; i < 100'000; ++i) {
    original += "1,";
    if (i % 2 == 0) changed += "2,";
  }
  original += "0]";
  changed += "3]";
  const std::string patch = patch_of(original, changed);
  CHECK(patch.size() < 2 * changed.size());
  CHECK(patch == R"([{"op":"replace","path":"","value":)" + changed + "}]");
  // Paths that are long, and many.
  const std::string name(10'000, 'n');
  const auto deep = [&](std::string_view inner) { return "{\"" + name + "\":" + std::string(inner) + "}"; };
  const std::string many = patch_of(deep(original), deep(changed));
  CHECK(many.size() < 4 * (changed.size() + name.size()) + (128U << 10));
  CHECK(patched(json_of(deep(original)), many) == json_of(deep(changed)));
}

TEST_CASE("JsonPatch.BearsAbsurdNesting") {
  const auto nested = [](int depth, const std::string& inner) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "[{\"a\":";
    text += inner;
    for (int i = 0; i < depth; ++i) text += "}]";
    return text;
  };
  CHECK(patch_of(nested(50'000, "1"), nested(50'000, "1")) == "[]");
  CHECK(patch_of(nested(50'000, "1"), nested(50'000, "2")).size() > 50'000);
  std::string path;
  for (int i = 0; i < 300; ++i) path += "/0/a";
  CHECK(patch_of(nested(300, "1"), nested(300, "2")) == R"([{"op":"replace","path":")" + path + R"(","value":2}])");
}

// RFC 6902, appendix A: that the applier of these tests is one. json-patch.org's own tests were adapted from there.
TEST_CASE("JsonPatch.TheApplierDoesWhatRfc6902Says") {
  struct Case {
    std::string_view document, patch, result;  ///< no result: it cannot be applied
  };
  const Case cases[] = {
      {R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])", R"({"baz":"qux","foo":"bar"})"},
      {R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])", R"({"foo":["bar","qux","baz"]})"},
      {R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])", R"({"foo":"bar"})"},
      {R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])", R"({"foo":["bar","baz"]})"},
      {R"({"baz":"qux","foo":"bar"})", R"([{"op":"replace","path":"/baz","value":"boo"}])",
       R"({"baz":"boo","foo":"bar"})"},
      {R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
       R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])",
       R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})"},
      {R"({"foo":["all","grass","cows","eat"]})", R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])",
       R"({"foo":["all","cows","eat","grass"]})"},
      {R"({"baz":"qux","foo":["a",2,"c"]})",
       R"([{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}])",
       R"({"baz":"qux","foo":["a",2,"c"]})"},
      {R"({"baz":"qux"})", R"([{"op":"test","path":"/baz","value":"bar"}])", ""},
      {R"({"foo":"bar"})", R"([{"op":"add","path":"/child","value":{"grandchild":{}}}])",
       R"({"foo":"bar","child":{"grandchild":{}}})"},
      {R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux","xyz":123}])", R"({"foo":"bar","baz":"qux"})"},
      {R"({"foo":"bar"})", R"([{"op":"add","path":"/baz/bat","value":"qux"}])", ""},
      {R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])", R"({"/":9,"~1":10})"},
      {R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":"10"}])", ""},
      {R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc","def"]}])",
       R"({"foo":["bar",["abc","def"]]})"},
      // Of sections 3 and 4.
      {"[1]", R"([{"op":"add","path":"/2","value":1}])", ""},
      {"[1]", R"([{"op":"replace","path":"/-","value":1}])", ""},
      {"[1]", R"([{"op":"remove","path":"/00"}])", ""},
      {"[1]", R"([{"op":"add","path":"/1e0","value":1}])", ""},
      {R"({"a":1})", R"([{"op":"add","path":"","value":[]}])", "[]"},
      {R"({"a":1})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":1,"b":1})"},
      {R"({"a":1})", R"([{"op":"spam","path":"/a","value":1}])", ""},
      {R"({"a":1})", R"([{"op":"remove","path":"/b"}])", ""},
      {R"({"a":1})", R"([{"op":"add","path":"a","value":1}])", ""},
  };
  for (const Case& each : cases) {
    CAPTURE(each.document);
    CAPTURE(each.patch);
    const auto made = patched(json_of(each.document), each.patch);
    CHECK(made.has_value() == !each.result.empty());
    if (!made || each.result.empty()) continue;
    CHECK(*made == json_of(each.result));
    const std::string ours = patch_of(each.document, each.result);
    CAPTURE(ours);
    CHECK(patched(json_of(each.document), ours) == json_of(each.result));
  }
}
