// What a handler in JavaScript means: which function gets which event, what a state is, what a failure says.

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "tests/net/script_events.h"

namespace stele::tests {

namespace {

using Kind = api::FoldFailure::Kind;

net::WorkerPool& shared_pool() {
  static net::WorkerPool pool(script_options());
  return pool;
}

Folded fold(std::string_view source, const std::vector<ScriptEvent>& events = {}) {
  return fold_script(shared_pool(), source, events);
}

/// The state that one function makes of one event.
std::string returned(const std::string& expression) {
  return fold("({A: (state, event) => (" + expression + ")})", {{"A", R"({"n":1})"}}).text();
}

api::FoldFailure failure_of(std::string_view source, const std::vector<ScriptEvent>& events = {{"A", "1"}}) {
  const Folded folded = fold(source, events);
  REQUIRE_MESSAGE(folded.failure.has_value(), folded.text());
  return *folded.failure;
}

}  // namespace

TEST_CASE("WorkerFold.EventsGoToTheFunctionOfTheirType") {
  const Folded folded = fold("({Added: (s, e) => { s.sum = (s.sum || 0) + e.data.n }, Reset: () => ({sum: 0})})",
                             {{"Added", R"({"n":5})"}, {"Reset", {}}, {"Added", R"({"n":2})"}, {"Other", "{}"}});
  CHECK(folded.text() == R"({"sum":2})");
  CHECK(folded.state->applied == 3);
  CHECK(folded.state->ignored == 1);
  CHECK(folded.state->redacted == 0);
}

TEST_CASE("WorkerFold.ItBeginsWithInitOrAnEmptyObject") {
  CHECK(fold("({})").text() == "{}");
  CHECK(fold("({$init: () => ({a: []})})").text() == R"({"a":[]})");
  CHECK(fold("({$init: () => undefined})").text() == "{}");
  CHECK(fold("({$init: () => null})").text() == "null");
  CHECK(fold("({$init() { return 1 }, A: (s) => s + 1})", {{"A", "0"}}).text() == "2");
}

TEST_CASE("WorkerFold.AnyGetsWhatHasNoFunctionOfItsOwn") {
  const Folded folded =
      fold("({$init: () => [], A: (s) => { s.push('A') }, $any: (s, e) => { s.push(e.eventType.toLowerCase()) }})",
           {{"A", "0"}, {"B", "0"}, {"constructor", "0"}, {"$any", "0"}});
  CHECK(folded.text() == R"(["A","b","constructor","$any"])");
  CHECK(folded.state->applied == 4);
  // Neither what objects inherit nor the special functions are functions of a type.
  CHECK(fold("({$init: () => ({n: 0})})", {{"toString", "0"}, {"$init", "0"}, {"__proto__", "0"}}).state->ignored == 3);
}

TEST_CASE("WorkerFold.RedactedEventsGoToRedactedOrComeWithoutData") {
  std::vector<std::unique_ptr<Record>> records;
  records.push_back(script_record("A", "1", 0));
  records.push_back(redacted_script_record("A", 1));
  records.push_back(redacted_script_record("B", 2));
  const auto folded_with = [&](std::string_view source) {
    return fold_records(shared_pool(), script_start(source), records);
  };
  Folded folded = folded_with("({$init: () => [], A: (s, e) => { s.push(e.data) }})");
  CHECK(folded.text() == "[1,null]");
  CHECK(folded.state->applied == 2);
  CHECK(folded.state->ignored == 1);
  CHECK(folded.state->redacted == 2);
  folded = folded_with(
      "({$init: () => [], A: (s, e) => { s.push(e.data) }, $redacted: (s, e) => { s.push(e.eventType, e.redacted) }})");
  CHECK(folded.text() == R"([1,"A",["data"],"B",["data"]])");
  CHECK(folded.state->applied == 3);
  folded = folded_with("({$init: () => [], $any: (s, e) => { s.push('data' in e, e.data) }})");
  CHECK(folded.text() == "[true,1,true,null,true,null]");
}

TEST_CASE("WorkerFold.AnEventIsWhatTheApiShows") {
  CHECK(
      returned("Object.keys(event)") ==
      R"(["eventId","eventType","aggregateId","aggregateType","sequenceNumber","position","timestamp","version","userId","data"])");
  CHECK(returned("JSON.stringify(event) === JSON.stringify({...event})") == "true");
  CHECK(returned("[event.sequenceNumber, event.timestamp, event.userId, event.nothing === undefined]") ==
        R"([1,"2026-01-02T03:04:05.000000Z","ada",true])");
  CHECK(returned("'data' in event && 'eventId' in event && !('metadata' in event)") == "true");
  CHECK(returned("(event.data.n = 5, event.data.n)") == "5");
  CHECK(returned("(delete event.data, event.data === undefined && !('data' in event))") == "true");
  CHECK(returned("(delete event.userId, event.userId === undefined && Object.keys(event).length)") == "9");
  CHECK(returned("(event.userId, delete event.userId, event.userId === undefined && !('userId' in event))") == "true");
  CHECK(returned("(event.userId = 'bob', [event.userId, {...event}.userId])") == R"(["bob","bob"])");
  CHECK(returned("(event.position, event.x = 1, Object.keys(event).sort().join())") ==
        "\"aggregateId,aggregateType,data,eventId,eventType,position,sequenceNumber,timestamp,userId,version,x\"");
  CHECK(returned("(event.position, event)") == returned("(event.position, {...event})"));
  CHECK(returned("Object.isFrozen(Object.freeze(event)) && event.data.n") == "1");
  CHECK(returned("Object.getPrototypeOf(event) === Object.prototype") == "true");
  CHECK(fold("({A: (s, e) => 'data' in e})", {{"A", {}}}).text() == "false");
}

TEST_CASE("WorkerFold.AnEventThatIsKeptStaysWhatItWas") {
  std::vector<ScriptEvent> events;
  for (int i = 0; i < 2000; ++i) events.push_back({"A", "{\"n\":" + std::to_string(i) + ",\"t\":\"\xC3\xA4\"}"});
  const Folded folded = fold("({$init: () => [], A: (s, e) => { s.push(e) }})", events);
  REQUIRE_MESSAGE(folded.state.has_value(), folded.text());
  std::size_t at = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string own = "\"sequenceNumber\":" + std::to_string(i + 1) + ",";
    at = folded.state->json.find(own, at);
    REQUIRE_MESSAGE(at != std::string::npos, i);
    at = folded.state->json.find("\"data\":{\"n\":" + std::to_string(i) + ",\"t\":\"\xC3\xA4\"}", at);
    REQUIRE_MESSAGE(at != std::string::npos, i);
  }
}

TEST_CASE("WorkerFold.AFoldGoesOnAfterItsState") {
  auto begun = shared_pool().begin(script_start("({$init: () => ({n: 0}), A: (s, e) => { s.n += e.data }})"));
  REQUIRE(std::holds_alternative<std::unique_ptr<api::Fold>>(begun));
  api::Fold& fold = **std::get_if<std::unique_ptr<api::Fold>>(&begun);
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 1000; ++i) REQUIRE_FALSE(fold.apply(*script_record("A", "1")).has_value());
    const auto state = fold.state();
    REQUIRE(std::holds_alternative<api::FoldState>(state));
    CHECK(std::get_if<api::FoldState>(&state)->json == "{\"n\":" + std::to_string(round * 1000) + "}");
    CHECK(std::get_if<api::FoldState>(&state)->applied == static_cast<std::uint64_t>(round) * 1000);
  }
}

TEST_CASE("WorkerFold.AStateThatIsGivenComesBackAsItWas") {
  const std::string state = R"({"":0,"a":[1,-2.5,1e+21,1e-7,true,null,"\"\\\u0000\n)"
                            "\xC3\xA4\xF0\x9F\x9A\x80"
                            R"("],"__proto__":{"x":{}},"b":{"10":1,"x":{}}})";
  api::ScriptStart start = script_start("({$init: () => { throw 'not called' }})");
  start.state = state;
  CHECK(fold_records(shared_pool(), start, {}).text() == state);
  start = script_start("({A: (s) => s + 1})");
  start.state = "41";
  std::vector<std::unique_ptr<Record>> records;
  records.push_back(script_record("A", "0"));
  CHECK(fold_records(shared_pool(), start, records).text() == "42");
}

TEST_CASE("WorkerFold.AStateIsWrittenAsEcmaScriptWould") {
  CHECK(returned("({a: undefined, b: -0, c: 0.1, d: 1e21, e: 123456789012345680000, f: 2**53, g: 5e-324, h: 1e15})") ==
        R"({"b":0,"c":0.1,"d":1e+21,"e":123456789012345680000,"f":9007199254740992,"g":5e-324,"h":1000000000000000})");
  CHECK(returned(R"(['"\\\b\f\n\r\t\u0001', '\u2028\xe9\ud83d\ude80'])") == R"(["\"\\\b\f\n\r\t\u0001",")"
                                                                            "\xE2\x80\xA8\xC3\xA9\xF0\x9F\x9A\x80\"]");
  CHECK(returned("Object.assign(Object.create(null), {b: 1, a: 2, 1: 3})") == R"({"1":3,"b":1,"a":2})");
}

TEST_CASE("WorkerFold.WhatIsNoJsonIsNamed") {
  struct Case {
    const char* expression;
    const char* text;
  };
  for (const auto& [expression, text] : std::initializer_list<Case>{
           {"({a: [0, {b: new Date(0)}]})", "2 at /a/1/b: a Date"},
           {"({'a/b~c': NaN})", "2 at /a~1b~0c: NaN"},
           {"[Infinity]", "2 at /0: Infinity"},
           {"({x: 1n})", "2 at /x: a BigInt"},
           {"({x: Symbol()})", "2 at /x: a symbol"},
           {"({x: () => 1})", "2 at /x: a function"},
           {"({x: Promise.resolve(1)})", "2 at /x: a Promise"},
           {"({x: new Map})", "2 at /x: a Map"},
           {"({x: new (class Point {})})", "2 at /x: an instance of a class"},
           {"({x: new (class List extends Array {})})", "2 at /x: an array of a class of its own"},
           {"({x: new Uint8Array(2)})", "2 at /x: a Uint8Array"},
           {"({x: new Proxy({}, {})})", "2 at /x: a Proxy"},
           {"({x: new String('x')})", "2 at /x: a String"},
           {"({x: /x/})", "2 at /x: a RegExp"},
           {"({get x() { return 1 }})", "2 at /x: a getter or setter"},
           {"({toJSON() { return 1 }})", "2 at /toJSON: a function"},
           {"({x: [1, , 2]})", "2 at /x/1: a hole in an array"},
           {"({x: [1, undefined]})", "2 at /x/1: undefined"},
           {"({x: 'abc'.match(/b/)})", "2 at /x: an array that has members beside its elements"},
           {"({x: {[Symbol('s')]: 1}})", "2 at /x: it has a member whose name is a symbol"},
           {"Object.defineProperty({}, 'x', {value: 1})", "2 at /x: a member that cannot be enumerated"},
           {"({x: '\\ud800'})", "2 at /x: a text with half a surrogate pair"},
           {"(() => { const o = {}; o.o = [o]; return o })()", "2 at /o/0: it contains itself"},
           {"globalThis", "2: a global"},
       }) {
    CHECK_MESSAGE(returned(expression) == text, expression);
  }
  const std::string deep = returned("(() => { let o = 1; for (let i = 0; i < 600; ++i) o = {o}; return o })()");
  CHECK_MESSAGE(deep.ends_with("/o/o/o: it lies deeper than 512 levels"), deep);
}

TEST_CASE("WorkerFold.SyntaxErrorsSayWhere") {
  api::FoldFailure failure = failure_of("({\n  A: (s) => {\n    let x = ;\n  }})");
  CHECK(failure.kind == Kind::Syntax);
  CHECK(failure.line == 3U);
  CHECK(failure.column == 13U);
  CHECK(failure.message == "SyntaxError: expected expression, got ';'");
  for (const char* const source :
       {"null", "1", "[]", "(() => 1)", "", "({A: 1})", "({A: null})", "({A() {}, $init: {}})"}) {
    failure = failure_of(source);
    CHECK_MESSAGE(failure.kind == Kind::Syntax, source);
  }
  CHECK(failure.message == "the member $init of the script's value is not a function");
}

TEST_CASE("WorkerFold.ThrownValuesSayWhereAndInWhichEvent") {
  const std::vector<ScriptEvent> events{{"A", "1"}, {"A", "2"}, {"A", "3"}};
  api::FoldFailure failure = failure_of("({A: (s, e) => {\n  if (e.data == 2) e.data.x.y }})", events);
  CHECK(failure.kind == Kind::Threw);
  CHECK(failure.message == "TypeError: e.data.x is undefined");
  CHECK(failure.line == 2U);
  CHECK(failure.column == 20U);
  CHECK(failure.event == 1U);

  failure = failure_of("({A: () => {\n\n new Date() }})");  // inside what is not the script's
  CHECK(failure.message == "TypeError: there is no clock here: Date needs to be constructed with a time");
  CHECK(failure.line == 3U);

  CHECK(failure_of("({A: () => { throw 'text' }})").message == "text");
  CHECK(failure_of("({A: () => { throw null }})").message == "null");
  CHECK(failure_of("({A: () => { throw {} }})").message == "a thrown object");
  CHECK(failure_of("({A: () => { throw new RangeError('r') }})").message == "RangeError: r");
  CHECK(failure_of("({A: () => { throw new (class E extends Error {})('e') }})").message == "Error: e");
  CHECK(failure_of("({A: () => { throw Error('\\u00e9'.repeat(9999)) }})").message.size() <= 1024);

  failure = failure_of("throw new Error('at once')");
  CHECK(failure.kind == Kind::Threw);
  CHECK_FALSE(failure.event.has_value());
  CHECK_FALSE(failure_of("({$init() { null.x }})").event.has_value());
  CHECK(failure_of("({A(a) { A() }, })").message == "ReferenceError: A is not defined");
}

TEST_CASE("WorkerFold.TheSameFailureAgainAfterAFailure") {
  auto begun = shared_pool().begin(script_start("({A: () => { throw 'x' }})"));
  REQUIRE(std::holds_alternative<std::unique_ptr<api::Fold>>(begun));
  api::Fold& fold = **std::get_if<std::unique_ptr<api::Fold>>(&begun);
  (void)fold.apply(*script_record("A", "1"));
  for (int i = 0; i < 2; ++i) {
    const auto state = fold.state();
    REQUIRE(std::holds_alternative<api::FoldFailure>(state));
    CHECK(std::get_if<api::FoldFailure>(&state)->message == "x");
  }
  CHECK(fold.apply(*script_record("A", "1"))->message == "x");
}

TEST_CASE("WorkerFold.NothingThatDiffersFromRunToRun") {
  CHECK(returned("[typeof Intl, typeof WebAssembly, typeof SharedArrayBuffer, typeof Atomics, typeof WeakRef, typeof "
                 "FinalizationRegistry].join()") == R"("undefined,undefined,undefined,undefined,undefined,undefined")");
  CHECK(returned(
            "Object.getOwnPropertyNames(globalThis).filter(n => /Intl|Wasm|WebA|Shared|Atomics|Weak(Ref)/.test(n))") ==
        "[]");
  CHECK(returned("[Math.random, Date.now, ''.localeCompare, (1).toLocaleString, 1n.toLocaleString, [].toLocaleString, "
                 "new Date(0).toLocaleString, new Date(0).toLocaleDateString, ''.toLocaleUpperCase, "
                 "({}).toLocaleString, new Uint8Array(1).toLocaleString].every(f => f === undefined)") == "true");
  CHECK(returned("[new Date(2020, 0, 1, 12).getTime(), new Date('2020-01-01T12:00').toISOString(), new "
                 "Date(0).getTimezoneOffset(), Date.UTC(1970, 0, 2), new Date(0) instanceof Date, new "
                 "Date(0).constructor === Date]") ==
        R"([1577880000000,"2020-01-01T12:00:00.000Z",0,86400000,true,true])");
  for (const char* const clock : {"new Date()", "Date()", "Reflect.construct(Date, [])",
                                  "new (Date.prototype.constructor)()", "new (class extends Date {})()"}) {
    CHECK_MESSAGE(returned(clock).ends_with("Date needs to be constructed with a time"), clock);
  }
}

TEST_CASE("WorkerFold.NothingIsLeftForTheNextFold") {
  CHECK(fold("globalThis.left = 1; Array.prototype.push = () => 'mine'; Object.left = 2; ({})").text() == "{}");
  CHECK(fold("var n = 0; ({A: () => [typeof left, Object.left === undefined, [].push(1), ++n]})",
             {{"A", "0"}, {"A", "0"}})
            .text() == R"(["undefined",true,1,2])");
}

TEST_CASE("WorkerFold.TheServersLocaleAndTimeZoneMakeNoDifference") {
  const char* const source =
      "({A: (s, e) => [new Date(2020, 6, 1).toString(), new Date('2020-07-01 10:00').getTime(), "
      "'\\u0130i\\u0131'.toLowerCase(), ['b', 'a', '\\u00e4', 'B'].sort(), (1234.5).toString(), Math.sin(1e300)]})";
  const std::vector<ScriptEvent> events{{"A", "1"}};
  const std::string before = fold(source, events).text();
  REQUIRE(before.starts_with("[\"Wed Jul 01 2020 00:00:00 GMT+0000"));
  const std::initializer_list<std::pair<const char*, const char*>> other{
      {"TZ", "Asia/Tokyo"}, {"LANG", "tr_TR.UTF-8"}, {"LC_ALL", "de_DE.UTF-8"}, {"TZDIR", "/nowhere"}};
  for (const auto& [name, value] : other) ::setenv(name, value, 1);
  {
    net::WorkerPool pool(script_options());
    CHECK(fold_script(pool, source, events).text() == before);
  }
  for (const auto& [name, value] : other) ::unsetenv(name);
}

}  // namespace stele::tests
