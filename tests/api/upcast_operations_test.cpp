// What operations make of the data of an event, and what they are not let do.

#include "api/schemas/upcast_operations.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace stele;
using namespace stele::api;

namespace {

UpcastOperations operations_of(std::string_view list) {
  auto parsed = UpcastOperations::parse(list);
  if (const auto* const fault = std::get_if<OperationError>(&parsed)) {
    FAIL(std::string(list.substr(0, 500)) << " at '" << fault->pointer << "': " << fault->detail);
  }
  return std::get<UpcastOperations>(std::move(parsed));
}

/// The data, or `pointer: detail`.
std::string upcast(std::string_view data, std::string_view list) {
  auto made = operations_of(list).apply(data);
  if (const auto* const fault = std::get_if<UpcastError>(&made)) return "! " + fault->pointer + ": " + fault->detail;
  return std::get<std::string>(std::move(made));
}

/// `pointer: detail`, or nothing if the list is in order.
std::string fault_of(std::string_view list) {
  const auto parsed = UpcastOperations::parse(list);
  const auto* const fault = std::get_if<OperationError>(&parsed);
  return fault == nullptr ? "" : fault->pointer + ": " + fault->detail;
}

bool starts_with(const std::string& text, std::string_view beginning) {
  return std::string_view(text).substr(0, beginning.size()) == beginning;
}

}  // namespace

TEST_CASE("UpcastOperations.DoWhatTheyAreCalled") {
  struct Case {
    std::string_view data, list, result;
  };
  const std::vector<Case> cases{
      {R"({"a":1,"b":2})", R"([{"op":"rename","path":"/a","to":"c"}])", R"({"c":1,"b":2})"},
      {R"({"a":1,"b":2})", R"([{"op":"rename","path":"/a","to":"b"}])", R"({"b":1})"},
      {R"({"a":1})", R"([{"op":"rename","path":"/a","to":"a"}])", R"({"a":1})"},
      {R"({"a":1})", R"([{"op":"rename","path":"/x","to":"c"}])", R"({"a":1})"},
      {R"({"a":{"b":1}})", R"([{"op":"rename","path":"/a/b","to":"/"}])", R"({"a":{"/":1}})"},
      {R"([{"b":1}])", R"([{"op":"rename","path":"/0/b","to":"c"}])", R"([{"c":1}])"},
      {R"({"a":1})", R"([{"op":"move","from":"/a","path":"/p/q"}])", R"({"p":{"q":1}})"},
      {R"({"a":{"b":1},"c":2})", R"([{"op":"move","from":"/a/b","path":"/c"}])", R"({"a":{},"c":1})"},
      {R"({"a":{"b":1}})", R"([{"op":"move","from":"/a","path":""}])", R"({"b":1})"},
      {R"({"a":1})", R"([{"op":"move","from":"/a","path":"/a"}])", R"({"a":1})"},
      {R"({"a":1})", R"([{"op":"move","from":"/x","path":"/y/z"}])", R"({"a":1})"},
      {R"([1,2,3])", R"([{"op":"move","from":"/0","path":"/-"}])", "[2,3,1]"},
      {R"({"a":[1]})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":[1],"b":[1]})"},
      {R"({"a":1})", R"([{"op":"copy","from":"","path":"/all"}])", R"({"a":1,"all":{"a":1}})"},
      {R"({"a":1})", R"([{"op":"copy","from":"/x","path":"/b"}])", R"({"a":1})"},
      {R"({"a":1,"b":2})", R"([{"op":"remove","path":"/a"}])", R"({"b":2})"},
      {R"({"a":1})", R"([{"op":"remove","path":"/a/"}])",
       "! /a: Operation 0 (remove): It is neither an object nor an array."},
      {R"({"a":null})", R"([{"op":"remove","path":"/a/b"}])", R"({"a":null})"},
      {R"([1,2,3])", R"([{"op":"remove","path":"/1"}])", "[1,3]"},
      {R"([1,2,3])", R"([{"op":"remove","path":"/3"}])", "[1,2,3]"},
      {R"({"a":1})", R"([{"op":"wrap","path":"/a"}])", R"({"a":[1]})"},
      {R"({"a":1})", R"([{"op":"wrap","path":"/b"}])", R"({"a":1})"},
      {"7", R"([{"op":"wrap","path":""}])", "[7]"},
      {R"({"a":1})", R"([{"op":"set","path":"/b/c/d","value":{"e":[1, 2]}}])",
       R"({"a":1,"b":{"c":{"d":{"e":[1,2]}}}})"},
      {R"({"a":1})", R"([{"op":"set","path":"/a","value":null}])", R"({"a":null})"},
      {R"({"a":1})", R"([{"op":"set","path":"","value":[]}])", "[]"},
      {R"({"a":[1]})", R"([{"op":"set","path":"/a/1","value":2}])", R"({"a":[1,2]})"},
      {R"({"a":[1]})", R"([{"op":"set","path":"/a/-/b","value":2}])", R"({"a":[1,{"b":2}]})"},
      {R"({"a":[1]})", R"([{"op":"set","path":"/a/2","value":2}])",
       "! /a: Operation 0 (set): The array has no element '2', and it would not be the next one."},
      {R"({"a":[1]})", R"([{"op":"set","path":"/a/00","value":2}])",
       "! /a: Operation 0 (set): The array has no element '00', and it would not be the next one."},
      {R"({"a":1})", R"([{"op":"default","path":"/a","value":2}])", R"({"a":1})"},
      {R"({"a":null})", R"([{"op":"default","path":"/a","value":2}])", R"({"a":null})"},
      {R"({})", R"([{"op":"default","path":"/a/b","value":2}])", R"({"a":{"b":2}})"},
      {R"({"a":"x"})", R"([{"op":"default","path":"/a/b","value":2}])",
       "! /a: Operation 0 (default): It is neither an object nor an array."},
      {R"({"a":"old"})", R"([{"op":"map","path":"/a","values":{"old":"new","x":1}}])", R"({"a":"new"})"},
      {R"({"a":"other"})", R"([{"op":"map","path":"/a","values":{"old":"new"}}])", R"({"a":"other"})"},
      {R"({"a":1})", R"([{"op":"map","path":"/a","values":{"1":"one"}}])", R"({"a":"one"})"},
      {R"({"a":null})", R"([{"op":"map","path":"/a","values":{"null":{}}}])", R"({"a":{}})"},
      {R"({"a":["old"]})", R"([{"op":"map","path":"/a","values":{"old":"new"}}])", R"({"a":["old"]})"},
      {R"({"a":["old"]})", R"([{"op":"map","path":"/a/b","values":{}}])",
       "! /a: Operation 0 (map): It is an array, which has no member 'b'."},
      // One after the other, and escapes.
      {R"({"full":"Ada Lovelace","kind":"P"})",
       R"([{"op":"rename","path":"/full","to":"name"},{"op":"move","from":"/name","path":"/person/name"},)"
       R"({"op":"map","path":"/kind","values":{"P":"person"}},{"op":"default","path":"/person/tags","value":[]}])",
       R"({"kind":"person","person":{"name":"Ada Lovelace","tags":[]}})"},
      {R"({"a/b":1,"c~d":2,"\u0065":3})",
       R"([{"op":"remove","path":"/a~1b"},{"op":"rename","path":"/c~0d","to":"c"},{"op":"remove","path":"/e"}])",
       R"({"c":2})"},
      // Tokens stay as they are written, white space does not.
      {R"({ "n" : 1.50e+2, "s" : "\u0061 b" , "big":123456789012345678901234567890})",
       R"([{"op":"rename","path":"/n","to":"m"}])",
       R"({"m":1.50e+2,"s":"\u0061 b","big":123456789012345678901234567890})"},
      // The last of repeated members counts.
      {R"({"a":1,"a":2})", R"([{"op":"rename","path":"/a","to":"b"}])", R"({"b":2})"},
      {R"({"a":1,"a":2})", R"([{"op":"move","from":"/a","path":"/b"}])", R"({"b":2})"},
      {R"("text")", R"([{"op":"remove","path":"/a"}])",
       "! : Operation 0 (remove): It is neither an object nor an array."},
  };
  for (const Case& each : cases) {
    CAPTURE(each.data);
    CAPTURE(each.list);
    CHECK(upcast(each.data, each.list) == each.result);
  }
}

TEST_CASE("UpcastOperations.FaultyListsSayWhere") {
  struct Case {
    std::string_view list, fault;
  };
  const std::vector<Case> cases{
      {"{}", ": It is not an array"},
      {"[]", ": It has 1 to 1000 operations."},
      {"[7]", "/0: It is not an object."},
      {R"([{"op":"remove","path":"/a"},{}])", "/1: It has no \"op\"."},
      {R"([{"op":"add","path":"/a"}])", "/0/op: Must be rename, move"},
      {R"([{"op":"remove"}])", "/0: remove needs \"path\"."},
      {R"([{"op":"remove","path":"a"}])", "/0/path: Must be a JSON pointer"},
      {R"([{"op":"remove","path":"/a~2"}])", "/0/path: Must be a JSON pointer"},
      {R"([{"op":"remove","path":7}])", "/0/path: Must be a JSON pointer"},
      {R"([{"op":"remove","path":""}])", "/0/path: The data as a whole"},
      {R"([{"op":"rename","path":"/a"}])", "/0: rename needs \"to\"."},
      {R"([{"op":"rename","path":"/a","to":7}])", "/0/to: Must be a name"},
      {R"([{"op":"remove","path":"/a","value":1}])", "/0/value: remove has no such member."},
      {R"([{"op":"remove","path":"/a","path":"/a"}])", "/0/path: The member stands twice."},
      {R"([{"op":"remove","path":"/a","pfad":"/a"}])", "/0: It has an unknown member 'pfad'."},
      {R"([{"op":"move","path":"/a"}])", "/0: move needs \"from\"."},
      {R"([{"op":"move","from":"/a","path":"/a/b"}])", "/0/path: A value cannot be moved into itself."},
      {R"([{"op":"set","path":"/a"}])", "/0: set needs \"value\"."},
      {R"([{"op":"map","path":"/a","values":[]}])", "/0/values: Must be an object."},
      {R"([{"op":"map","path":"/a","values":{"a":1,"\u0061":2}}])", "/0/values: The member 'a' stands twice."},
  };
  for (const Case& each : cases) {
    CAPTURE(each.list);
    CAPTURE(fault_of(each.list));
    CHECK(starts_with(fault_of(each.list), each.fault));
  }
  std::string deep;
  for (std::size_t i = 0; i <= UpcastOperations::kPointerDepthMax; ++i) deep += "/a";
  CHECK(starts_with(fault_of(R"([{"op":"remove","path":")" + deep + R"("}])"), "/0/path: Must be"));
  std::string many = "[";
  for (std::size_t i = 0; i < UpcastOperations::kOperationsMax; ++i) many += R"({"op":"wrap","path":"/a"},)";
  many.back() = ']';
  CHECK(fault_of(many).empty());
  many.back() = ',';
  CHECK(starts_with(fault_of(many + R"({"op":"wrap","path":"/a"}])"), ": It has 1 to"));
}

TEST_CASE("UpcastOperations.NothingGrowsWithoutEnd") {
  const auto repeated = [](std::string_view operation, std::size_t times) {
    std::string list = "[";
    for (std::size_t i = 0; i < times; ++i) (list += operation) += ',';
    list.back() = ']';
    return list;
  };
  // A document that is copied into itself doubles each time.
  std::string copies = "[";
  for (int i = 0; i < 60; ++i) copies += R"({"op":"copy","from":"","path":"/m)" + std::to_string(i) + R"("},)";
  copies.back() = ']';
  const std::string doubled = upcast(R"({"a":"some text"})", copies);
  CHECK(starts_with(doubled, "! : Operation "));
  CHECK(doubled.size() < 1'000);
  const std::string large =
      upcast("\"" + std::string(1 << 20, 'x') + "\"",
             R"([{"op":"wrap","path":""},)" + repeated(R"({"op":"copy","from":"/0","path":"/-"})", 900).substr(1));
  CHECK(large.find("bytes would come out") != std::string::npos);
  CHECK(upcast("1", repeated(R"({"op":"wrap","path":""})", 1000)).find("deeper than 512") != std::string::npos);
  CHECK(upcast("1", repeated(R"({"op":"wrap","path":""})", 500)) ==
        std::string(500, '[') + "1" + std::string(500, ']'));
  // Objects of many members are searched from end to end.
  std::string wide = "{";
  for (int i = 0; i < 100'000; ++i) wide += "\"m" + std::to_string(i) + "\":0,";
  wide.back() = '}';
  CHECK(upcast(wide, repeated(R"({"op":"remove","path":"/x"})", 1000)).find("too much work") != std::string::npos);
  CHECK(upcast(wide, R"([{"op":"remove","path":"/m7"}])").size() == wide.size() - 7);
}
