// Scripts that want to stay, to take everything, or to get out. Each ends, in a failure or in an ordinary state, and
// the next fold works.

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "net/worker/sandbox.h"
#include "tests/net/script_events.h"

namespace stele::tests {

namespace {

struct Hostile {
  std::string_view source;
  /// How its fold ends: a limit, a kind ("threw", "no-json", "syntax"), a state, or any of these ("").
  std::string_view end;
};

/// A body of the function that an event goes to.
#define FUNCTION(body) "({A(state, event) { " body " }})"

constexpr Hostile kScripts[] = {
    // Those that do not end.
    {FUNCTION("for (;;);"), "call-time"},
    {FUNCTION("try { for (;;); } catch (e) { for (;;); } finally { for (;;); }"), "call-time"},
    {FUNCTION("x: for (;;) { try { continue x } finally { continue x } }"), "call-time"},
    {FUNCTION("for (const x of (function* () { for (;;) yield 1 })());"), "call-time"},
    {FUNCTION("(function f() { try { f() } finally { f() } })()"), "call-time"},
    {FUNCTION("/^(a+)+$/.test('a'.repeat(40) + 'b')"), "call-time"},
    {FUNCTION("'a'.repeat(2 ** 27).indexOf('a'.repeat(2 ** 14) + 'b')"), "call-time"},
    {FUNCTION("'a'.repeat(2 ** 27).lastIndexOf('b' + 'a'.repeat(2 ** 14))"), ""},
    {FUNCTION("JSON.parse('['.repeat(1e6) + ']'.repeat(1e6))"), "call-time"},
    {FUNCTION("('\\u1E9B\\u0323').repeat(2 ** 22).normalize('NFKC')"), "call-time"},
    {FUNCTION("'ab'.repeat(2 ** 25).split('')"), ""},
    {FUNCTION("'ab'.repeat(2 ** 24).replaceAll('a', 'bb')"), ""},
    {FUNCTION("new RegExp('(?:a|b|c|d){1,1000}'.repeat(1000)).test('aaa')"), ""},
    {FUNCTION("new RegExp('a'.repeat(2 ** 24)).test('b')"), ""},
    {FUNCTION("new RegExp('('.repeat(1e6) + ')'.repeat(1e6))"), ""},
    {FUNCTION("return ((1n << 1000000n) - 1n).toString()"), ""},
    {FUNCTION("let n = 3n; for (;;) n = n * n"), ""},
    {FUNCTION("Array.from({length: 2 ** 32 - 1})"), "call-time"},
    {FUNCTION("const a = []; a[4294967294] = 1; a.sort(); a.reverse()"), ""},
    {FUNCTION("new Array(1e6).fill(1).sort(() => { for (;;); })"), "call-time"},
    {FUNCTION("new Array(2 ** 32 - 1).join('abc')"), ""},
    {FUNCTION("new Array(2 ** 32 - 1).toString()"), ""},
    {FUNCTION("Reflect.apply(Math.max, null, {length: 2 ** 32 - 1})"), ""},
    {FUNCTION("[].concat(...new Array(1e5).fill([1, 2, 3]))"), ""},
    {FUNCTION("new Proxy({}, {get() { for (;;); }}).x"), "call-time"},
    {FUNCTION("({[Symbol.toPrimitive]() { for (;;); }}) + 1"), "call-time"},
    {FUNCTION("[...{[Symbol.iterator]() { return {next() { return {} }} }}]"), ""},
    {FUNCTION("Object.defineProperty(event, 'data', {get() { for (;;); }}).data"), "call-time"},
    {FUNCTION("return Promise.resolve().then(() => { for (;;); })"), "no-json"},
    {FUNCTION("(async () => { for (;;) await 0 })(); return {ok: 1}"), "state"},
    {"for (;;);", "call-time"},
    {"({$init() { for (;;); }})", "call-time"},
    {"new Proxy({}, {ownKeys() { for (;;); }})", "call-time"},
    {"({get A() { for (;;); }})", "call-time"},
    {"new Proxy({}, {ownKeys() { return ['A'] }, getOwnPropertyDescriptor() { return {value: 1, enumerable: true, "
     "configurable: true} }, get() { return () => 7 }})",
     "state"},
    // While it fails.
    {FUNCTION("throw {toString() { for (;;); }}"), "threw"},
    {FUNCTION("throw {get message() { for (;;); }, get stack() { for (;;); }, toString: 1}"), "threw"},
    {FUNCTION("throw new Proxy(new Error('x'), {get() { for (;;); }, getPrototypeOf() { for (;;); }})"), "threw"},
    {FUNCTION("Error.prepareStackTrace = () => { for (;;); }; throw new Error('x')"), "threw"},
    {FUNCTION("const e = new Error('x'); Object.defineProperty(e, 'message', {get() { for (;;); }}); throw e"),
     "threw"},
    {FUNCTION("throw Object.setPrototypeOf(new Error('x'), new Proxy({}, {get() { for (;;); }}))"), "threw"},
    {FUNCTION("throw new Error('x'.repeat(2 ** 26))"), ""},
    {FUNCTION("throw 'x'.repeat(2 ** 28)"), ""},
    {FUNCTION("throw (1n << 1000000n)"), "threw"},
    {FUNCTION("let s = 'x'; for (let i = 0; i < 29; ++i) s += s; throw s + 'y'"), ""},
    // Those that take memory.
    {FUNCTION("const l = []; for (;;) l.push(new Uint8Array(1 << 20).fill(1))"), ""},
    {FUNCTION("const l = []; for (;;) l.push(new Uint8Array(1 << 24))"), "memory"},
    {FUNCTION("const l = []; for (;;) try { l.push(new Uint8Array(1 << 24)) } catch (e) {}"), "memory"},
    {FUNCTION("const l = []; for (;;) l.push('x'.repeat(1 << 24) + l.length)"), ""},
    {FUNCTION("const l = []; for (;;) try { l.push(JSON.stringify('x'.repeat(1 << 22))) } catch (e) {}"), ""},
    {FUNCTION("const m = new Map; for (let i = 0;; ++i) m.set(i, {i})"), ""},
    {FUNCTION("try { new Uint8Array(2 ** 31) } catch (e) {} return {ok: 1}"), "memory"},
    {FUNCTION("new ArrayBuffer(2 ** 33)"), "memory"},
    {FUNCTION("let s = 'x'; for (;;) s += s"), ""},
    {FUNCTION("const a = ['x'.repeat(1 << 20)]; for (;;) a.push(a.join())"), ""},
    {FUNCTION("let o = {}; for (;;) o = {o, a: new Array(1000).fill(o)}"), ""},
    {FUNCTION("return new Array(3e7).fill(0)"), ""},
    {FUNCTION("(function f() { f() })()"), "stack"},
    {FUNCTION("(function f() { new Array(1000).fill(0).map(f) })()"), ""},
    {FUNCTION("let s = '1'; for (let i = 0; i < 1e5; ++i) s = '(' + s + ')'; JSON.parse(s)"), "threw"},
    {FUNCTION("let p = {}; for (let i = 0; i < 1e5; ++i) p = new Proxy(p, {}); p.x"), "stack"},
    {FUNCTION("return (function f(n) { try { return f(n + 1) } catch (e) { return n } })(0) > 100"), "state"},
    // Those whose state is the weapon.
    {FUNCTION("let a = ['x'.repeat(1000)]; for (let i = 0; i < 40; ++i) a = [a, a]; return a"), "state-size"},
    {FUNCTION("return 'x'.repeat(2 ** 25)"), "state-size"},
    {FUNCTION("return '\\u0001'.repeat(2 ** 22)"), "state-size"},
    {FUNCTION("return {['k'.repeat(2 ** 25)]: 1}"), ""},
    {FUNCTION("return {['k'.repeat(2 ** 22)]: NaN}"), "no-json"},
    {FUNCTION("let o = 1; for (let i = 0; i < 1e5; ++i) o = {o}; return o"), "no-json"},
    {FUNCTION("const o = {}; o.o = o; return o"), "no-json"},
    {FUNCTION("const a = []; a.length = 2 ** 32 - 1; return a"), "no-json"},
    {FUNCTION("const a = []; a[2 ** 31] = 1; return a"), "no-json"},
    {FUNCTION("return {get x() { for (;;); }}"), "no-json"},
    {FUNCTION("return {toJSON() { for (;;); }}"), "no-json"},
    {FUNCTION("return new Proxy({}, {ownKeys() { for (;;); }, getPrototypeOf() { for (;;); }})"), "no-json"},
    {FUNCTION("return Object.setPrototypeOf({}, new Proxy({}, {get() { for (;;); }}))"), "no-json"},
    {FUNCTION("return Object.setPrototypeOf([], null)"), "no-json"},
    {FUNCTION("return Object.defineProperty([1], '0', {get() { for (;;); }})"), "no-json"},
    {FUNCTION("return arguments"), "no-json"},
    // Those that want out.
    {FUNCTION("return ({}).constructor.constructor('return 1')()"), "threw"},
    {FUNCTION("return (() => {}).constructor('return 1')()"), "threw"},
    {FUNCTION("return (function* () {}).constructor('yield 1')"), "threw"},
    {FUNCTION("return (async () => {}).constructor('return 1')"), "threw"},
    {FUNCTION("return (async function* () {}).constructor('return 1')"), "threw"},
    {FUNCTION("return eval('1')"), "threw"},
    {FUNCTION("return (0, eval)('1')"), "threw"},
    {FUNCTION("return import('/etc/passwd')"), "no-json"},
    {"import x from 'x'", "syntax"},
    {FUNCTION("return [typeof require, typeof process, typeof load, typeof read, typeof print, typeof quit, typeof "
              "setTimeout, typeof console, typeof fetch].every(t => t === 'undefined')"),
     "state"},
    {FUNCTION("Array.prototype.push = Array.prototype.map = Object.keys = JSON.parse = null; return {d: event.data}"),
     "state"},
    {FUNCTION("Object.prototype.get = () => { for (;;); }; Object.prototype.x = 1; return {}"), "state"},
    {FUNCTION(
         "for (const n of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[n] } catch (e) {} return {}"),
     "state"},
    {FUNCTION("Object.freeze(globalThis); Object.freeze(event); Object.freeze(state); return {a: event.data}"),
     "state"},
    {FUNCTION("return event.__proto__ = null"), "state"},
    {FUNCTION("return Object.setPrototypeOf(event, {x: 1})"), "no-json"},
    {FUNCTION("debugger; return {}"), "state"},
    {FUNCTION("return Object.getOwnPropertyNames(new Error('x')).length > 0 && {s: new Error('x').stack}"), "state"},
};

std::string_view end_of(const Folded& folded) {
  if (folded.state) return "state";
  switch (folded.failure->kind) {
    case api::FoldFailure::Kind::Syntax:
      return "syntax";
    case api::FoldFailure::Kind::Threw:
      return "threw";
    case api::FoldFailure::Kind::NoJson:
      return "no-json";
    case api::FoldFailure::Kind::Limit:
      return folded.failure->limit;
    default:
      return "otherwise";
  }
}

}  // namespace

TEST_CASE("WorkerHostile.EveryScriptEndsAndTheNextFoldWorks") {
  net::WorkerPool pool(script_options());
  std::uint64_t limits = 0;
  for (const Hostile& script : kScripts) {
    // Whoever may take his time is ended by it. Without a limit of memory that is the only end of those that take that.
    const bool timed = script.end.empty() || script.end == "call-time" || !net::can_confine();
    const api::ScriptStart start = script_start(script.source, timed ? kBriefly : kPatience);
    const Folded folded = fold_script(pool, start, {{"A", R"({"n":1})"}});
    const std::string what = std::string(script.source) + " => " + folded.text().substr(0, 200);
    const std::string_view end = end_of(folded);
    // Without limits of memory and of system calls, some come to another end.
    if (net::can_confine()) {
      CHECK_MESSAGE(end != "otherwise", what);
      if (!script.end.empty()) CHECK_MESSAGE(end == script.end, what);
    }
    if (folded.failure && folded.failure->kind == api::FoldFailure::Kind::Limit) ++limits;
    const Folded good = fold_script(pool, "({A: (s, e) => ({n: e.data.n + 1})})", {{"A", R"({"n":1})"}});
    CHECK_MESSAGE(good.text() == R"({"n":2})", what);
  }
  std::uint64_t kills = 0;
  for (const auto& kill : pool.metrics().kills) kills += kill.count;
  CHECK(kills >= limits);
}

TEST_CASE("WorkerHostile.WhatAScriptTakesIsBounded" * doctest::skip(!net::can_confine())) {
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  options.memory_bytes_max = 64U << 20;
  net::WorkerPool pool(options);
  for (const char* const source :
       {FUNCTION("const l = []; for (;;) try { l.push(new Uint8Array(1 << 20).fill(1)) } catch (e) {}"),
        FUNCTION("const l = []; for (;;) l.push('x'.repeat(1 << 20) + l.length)"),
        FUNCTION("const m = new Map; for (let i = 0;; ++i) m.set(i, {i})")}) {
    std::vector<std::unique_ptr<Record>> records;
    records.push_back(script_record("A", "1"));
    const Folded folded = fold_records(pool, script_start(source), records);
    REQUIRE_MESSAGE(folded.failure.has_value(), source);
    CHECK_MESSAGE(folded.failure->limit == "memory", std::string(source));
  }
}

// A sanitizer keeps what was freed for a while.
TEST_CASE("WorkerHostile.GarbageDoesNotGatherFromFoldToFold" * doctest::skip(!net::can_confine())) {
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  net::WorkerPool pool(options);
  // Of this process's children.
  const auto largest = [] {
    unsigned long long bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream in(entry.path() / "status");
      bool is_child = false;
      for (std::string line; std::getline(in, line);) {
        if (line.starts_with("PPid:")) is_child = std::stol(line.substr(5)) == ::getpid();
        if (is_child && line.starts_with("RssAnon:")) bytes = std::max(bytes, std::stoull(line.substr(8)) * 1024);
      }
    }
    return bytes;
  };
  const char* const source = FUNCTION("state.a = new Array(1e5).fill('x'); state.b = 'y'.repeat(1e6)");
  for (int i = 0; i < 60; ++i) {
    const Folded folded = fold_script(pool, source, {{"A", "1"}, {"A", "1"}});
    REQUIRE_MESSAGE(folded.state.has_value(), folded.text());
  }
  CHECK(largest() > 0);
  CHECK(largest() < (200U << 20));
}

#undef FUNCTION

}  // namespace stele::tests
