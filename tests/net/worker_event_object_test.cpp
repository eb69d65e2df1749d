// Members of an event's data are made when they are first looked at. A script must not be able to tell: whatever it
// does, the data of an event behaves as what JSON.parse makes of the same text, which data inside an array is.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/net/script_events.h"

namespace stele::tests {

namespace {

net::WorkerPool& pool_for_objects() {
  static net::WorkerPool pool(script_options());
  return pool;
}

const std::vector<std::string> kDocuments{
    R"({})",
    R"({"a":1,"b":2,"c":3})",
    "{ \"c\" : -0 ,\n\t\"b\" : [ 1 , { \"a\" : 2 } ] ,\r\n \"a\" : { \"x\" : \"}\\\",\" } }",
    R"({"a":1,"b":2,"a":{"last":true}})",
    R"({"b":"say \"a\": 1, ","a":"\u0041\n","c":"plain"})",
    R"({"\u0061":1,"b":2})",
    R"({"a":1,"b\"":2,"c":3})",
    R"({"a":true,"b":false,"c":null})",
    R"({"a":1e2,"b":-1.5E-3,"c":12345678901234567890})",
    R"({"a":9007199254740993,"b":0.1,"c":123456789})",
    "{\"a\":\"\xC3\xA4\",\"b\":\"\xC3\xBC\xC3\x9F\",\"c\":1}",
    "{\"a\":\"\xE2\x82\xAC\",\"\xC3\xA4\":2,\"b\":\"\xF0\x9F\x9A\x80\",\"c\":[]}",
    R"({"10":"ten","a":1,"2":"two","b":3,"1.5":4})",
    R"({"__proto__":{"a":7},"constructor":1,"b":2,"toString":3,"data":4})",
    R"({"":"none","a":"","b":[],"c":{}})",
    R"({"a":")" + std::string(500, 'x') + R"(","b":")" + std::string(129, '\\') + R"(\","c":")" +
        std::string(127, 'y') + R"("})",
    R"({"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11})",
};

/// Each takes `d`, which it may change.
const std::vector<std::string> kUses{
    "d.a",
    "[d.c, d.b, d.a, d.a, d.none]",
    "(d.b, d)",
    "(d.c, d.a, Object.keys(d))",
    "(d.a, {...d})",
    "(d.b, JSON.stringify(d))",
    "(d.c, Object.entries(d))",
    "(() => { const names = []; d.b; for (const name in d) names.push(name); return names; })()",
    "['a' in d, 'none' in d, '10' in d, Object.hasOwn(d, 'a'), d.hasOwnProperty('toString')]",
    "[d[10], d['2'], d[1.5], d[''], d['__proto__'] === Object.prototype, typeof d.constructor, typeof d.valueOf]",
    "(delete d.a, [d, 'a' in d, d.a === undefined])",
    "(d.a, delete d.a, delete d.none, d.a = 5, d)",
    "(d.a = 'new', d)",
    "(d.added = 1, d.b = 2, d)",
    "(d.c, d.added = 1, delete d.c, d)",
    "(Object.freeze(d), [Object.isFrozen(d), d])",
    "(d.b, Object.seal(d), delete d.b, d.b = 1, [Object.isSealed(d), d])",
    "(Object.preventExtensions(d), d.added = 1, d)",
    "(d.b, Object.defineProperty(d, 'a', {value: 6, enumerable: true, configurable: true}), d)",
    "(Object.defineProperty(d, 'added', {value: 6}), [Object.keys(d), d.added])",
    "Object.getOwnPropertyDescriptor(d, 'a') || null",
    "(d.b, Object.getOwnPropertyNames(d))",
    "(d[Symbol.iterator] === undefined && Object.getOwnPropertySymbols(d).length)",
    "[Object.getPrototypeOf(d) === Object.prototype, Object.prototype.toString.call(d), String(d.b)]",
    "(d.a === d.a && d.b === d.b)",
    "({y: 0, ...d, z: 1})",
    "(({a, ...rest}) => [a || null, rest])(d)",
    "JSON.parse(JSON.stringify([d, d]))",
    "[d, d]",
    "(() => { for (const n of 'zyxwvutsrqponmlkjihgfedcba') d[n]; return [d.a, d.k, d]; })()",
    "Reflect.ownKeys(d).length",
    "(Reflect.set(d, 'c', 0), Reflect.deleteProperty(d, 'b'), d)",
    "new Proxy(d, {}).a",
    "(() => { const child = Object.create(d); return [child.a, Object.keys(child), 'b' in child]; })()",
};

}  // namespace

TEST_CASE("WorkerEventObject.DataIsAsIfItWasParsed") {
  for (const std::string& use : kUses) {
    // A state has no place for undefined.
    const std::string script =
        "const shown = (value) => value === undefined ? null : value;\n"
        "const use = (d) => { const made = shown(" +
        use +
        ");"
        "  return Array.isArray(made) ? made.map(shown) : made; };\n"
        "({A: (s, e) => ({lazy: use(e.data)}), B: (s, e) => ({...s, whole: use(e.data[0])})})";
    for (const std::string& document : kDocuments) {
      CAPTURE(use);
      CAPTURE(document);
      const std::string both =
          fold_script(pool_for_objects(), script, {{"A", document}, {"B", "[" + document + "]"}}).text();
      const std::string begin = "{\"lazy\":";
      const std::string middle = ",\"whole\":";
      REQUIRE_MESSAGE(both.starts_with(begin), both);
      // Both are the same text, so the middle is in the middle.
      const std::size_t length = (both.size() - begin.size() - middle.size() - 1) / 2;
      CHECK(both == begin + both.substr(begin.size(), length) + middle + both.substr(begin.size(), length) + "}");
    }
  }
}

TEST_CASE("WorkerEventObject.WhoWantsTheWholeOfItGetsTheSame") {
  // So often that it is made whole from the start.
  std::vector<ScriptEvent> events;
  for (int i = 0; i < 200; ++i) events.push_back({"A", R"({"b":)" + std::to_string(i) + R"(,"a":{"n":1}})"});
  const Folded folded = fold_script(
      pool_for_objects(), "({$init: () => [], A: (s, e) => { s.push(Object.keys(e.data).join(), e.data.b) }})", events);
  std::string expected = "[";
  for (int i = 0; i < 200; ++i) expected += (i == 0 ? "" : ",") + ("\"b,a\"," + std::to_string(i));
  CHECK(folded.text() == expected + "]");
}

TEST_CASE("WorkerEventObject.MembersOfAnEventKeepTheirOrder") {
  const std::string script =
      "({A: (s, e) => { e.data.n; e.userId; e.position; e.added = 1; return [Object.keys(e).join(), e.userId] }})";
  CHECK(
      fold_script(pool_for_objects(), script, {{"A", R"({"n":1})"}}).text() ==
      R"(["eventId,eventType,aggregateId,aggregateType,sequenceNumber,position,timestamp,version,userId,data,added","ada"])");
}

}  // namespace stele::tests
