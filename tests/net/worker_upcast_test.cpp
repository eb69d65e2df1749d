// What an upcaster in JavaScript means, in its own process and in that of a handler.

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/records/upcast_scripts.h"
#include "tests/net/script_events.h"

namespace stele::tests {

namespace {

using Task = api::UpcastScripts::Task;

net::WorkerPool& upcast_pool() {
  static net::WorkerPool pool(script_options());
  return pool;
}

std::unique_ptr<api::UpcastScripts> begin_upcasts(std::chrono::milliseconds call_time = kPatience) {
  api::UpcastScriptLimits limits;
  limits.call_time = call_time;
  limits.result_bytes_max = 1U << 20;
  limits.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  auto begun = upcast_pool().begin_upcasts(limits);
  if (const auto* const failure = std::get_if<api::UpcastFailure>(&begun)) FAIL(failure->detail);
  return std::get<std::unique_ptr<api::UpcastScripts>>(std::move(begun));
}

/// The data of each, or `! detail`; `-` for those that were not come to.
std::vector<std::string> upcast_all(api::UpcastScripts& scripts, std::string_view source,
                                    const std::vector<std::string>& data) {
  std::vector<std::unique_ptr<Record>> records;
  std::vector<Task> tasks;
  for (const std::string& each : data) {
    records.push_back(script_record("A", each, records.size()));
    tasks.push_back({.event = records.back().get(), .data = each});
  }
  scripts.run(source, tasks);
  std::vector<std::string> results;
  for (const Task& task : tasks) {
    CHECK(!(task.result && task.failure));
    results.push_back(task.result ? *task.result : task.failure ? "! " + task.failure->detail : std::string("-"));
  }
  return results;
}

std::string upcast_one(std::string_view source, const std::string& data) {
  const auto scripts = begin_upcasts();
  return upcast_all(*scripts, source, {data}).front();
}

}  // namespace

TEST_CASE("WorkerUpcast.TheFunctionGetsDataAndEventAndGivesData") {
  CHECK(upcast_one("(data, event) => ({title: data.name, by: event.userId, type: event.eventType})",
                   R"({"name":"Ada"})") == R"({"title":"Ada","by":"ada","type":"A"})");
  CHECK(upcast_one("(data) => { data.title = data.name; delete data.name; };", R"({"name":"Ada","n":1})") ==
        R"({"n":1,"title":"Ada"})");
  CHECK(upcast_one("(data, event) => event.data === undefined", "1") == "true");
  // What only the store knows is not there: the same has to come out before an event is stored.
  CHECK(upcast_one("(data, event) => [event.position, event.sequenceNumber, event.timestamp, event.aggregateType]"
                   ".every((each) => each === undefined)",
                   "1") == "true");
  CHECK(upcast_one("(() => { const names = {a: 'b'}; return (data) => names[data]; })()", R"("a")") == R"("b")");
  CHECK(upcast_one("(data) => data ?? 'none'", "null") == R"("none")");
  CHECK(upcast_one("(data) => [data, undefined]", "1").find("not JSON") != std::string::npos);
  CHECK(upcast_one("(data) => new Date(0)", "1").find("not JSON") != std::string::npos);
  CHECK(upcast_one("async (data) => data", "1").find("not JSON") != std::string::npos);
}

TEST_CASE("WorkerUpcast.OneEventThatFailsKeepsNoOtherFromBeingUpcast") {
  const auto scripts = begin_upcasts();
  const auto results = upcast_all(*scripts, "(data) => data.a.b", {R"({"a":{"b":1}})", "{}", R"({"a":{"b":[2]}})"});
  CHECK(results[0] == "1");
  CHECK(results[1].find("TypeError") != std::string::npos);
  CHECK(results[2] == "[2]");
  CHECK(scripts->usable());
  const auto record = script_record("A", "{}");
  std::vector<Task> tasks{{.event = record.get(), .data = "{}"}};
  scripts->run("\n(data) => {\n  throw new Error('no')\n}", tasks);
  REQUIRE(tasks[0].failure.has_value());
  CHECK(tasks[0].failure->line == 3);
  CHECK(!tasks[0].failure->passes);
}

TEST_CASE("WorkerUpcast.NothingIsKeptFromOneEventToTheNext") {
  const auto scripts = begin_upcasts();
  const std::vector<std::string> ones{"1", "1"};
  CHECK(upcast_all(*scripts, "(() => { let n = 0; return (data) => ++n; })()", {"7", "8"}) == ones);
  CHECK(upcast_all(*scripts, "(() => { var n = 0; return function (data) { return ++n; }; })();", {"7", "8"}) == ones);
  // Nor in a variable that was never declared.
  CHECK(upcast_all(*scripts, "(data) => (n = 1)", {"7"}).front().find("ReferenceError") != std::string::npos);
  CHECK(upcast_all(*scripts, "(data) => Math.random()", {"7"}).front().find("TypeError") != std::string::npos);
}

TEST_CASE("WorkerUpcast.WhatIsNoFunctionSaysWhere") {
  const auto scripts = begin_upcasts();
  CHECK(!scripts->check("(data, event) => data"));
  const auto syntax = scripts->check("(data) => {\n  let x = ;\n}");
  REQUIRE(syntax.has_value());
  CHECK(syntax->line == 2);
  CHECK(syntax->column == 11);
  CHECK(!syntax->passes);
  CHECK(scripts->check("({A: () => 1})").has_value());
  CHECK(scripts->check("7").has_value());
  CHECK(scripts->check("(() => { throw new Error('early'); })()")->detail.find("early") != std::string::npos);
  CHECK(scripts->usable());
  CHECK(!scripts->check("(data) => data"));
}

TEST_CASE("WorkerUpcast.WhoeverDoesNotStopTakesHisOwnEventAlong") {
  auto scripts = begin_upcasts(std::chrono::seconds(1));
  const std::string source = "(data) => { while (data === 13); return data; }";
  const auto results = upcast_all(*scripts, source, {"1", "13", "2"});
  CHECK(results[0] == "1");
  CHECK(results[1].find("call-time") != std::string::npos);
  CHECK(results[2] == "-");
  CHECK(!scripts->usable());
  scripts = begin_upcasts(std::chrono::seconds(1));
  // Nor does he take another one's if he cannot be interrupted.
  const auto native =
      upcast_all(*scripts, "(data) => data === 13 ? ('a'.repeat(900000).indexOf('a'.repeat(400000) + 'b')) : data",
                 {"1", "2", "13", "3"});
  CHECK(native[1] == "2");
  CHECK(native[2].find("call-time") != std::string::npos);
  CHECK(native[3] == "-");
  scripts = begin_upcasts();
  CHECK(upcast_all(*scripts, source, {"2"}).front() == "2");
  scripts = begin_upcasts(kBriefly);
  CHECK(upcast_all(*scripts, "(data) => { const a = []; for (;;) a.push(new Array(1000).fill(data)); }", {"2"})
            .front()
            .find("beyond its limit") != std::string::npos);
  scripts = begin_upcasts();
  CHECK(upcast_all(*scripts, "(data) => 'x'.repeat(2000000)", {"2"}).front().find("state-size") != std::string::npos);
}

TEST_CASE("WorkerUpcast.ManyEventsAreOneConversation") {
  const auto scripts = begin_upcasts();
  std::vector<std::string> data;
  for (int i = 0; i < 3000; ++i)
    data.push_back(R"({"n":)" + std::to_string(i) + R"(,"s":")" + std::string(300, 'x') + "\"}");
  const auto results = upcast_all(*scripts, "(data) => data.n", data);
  for (std::size_t i = 0; i < results.size(); ++i) REQUIRE(results[i] == std::to_string(i));
}

TEST_CASE("WorkerUpcast.AHandlerAndItsUpcastersShareAProcessAndNothingElse") {
  auto begun = upcast_pool().begin(
      script_start("globalThis.mine = 1; ({A: (state, event) => { state.sum = (state.sum || 0) + event.data.n; }})"));
  REQUIRE(std::holds_alternative<std::unique_ptr<api::Fold>>(begun));
  const auto fold = std::get<std::unique_ptr<api::Fold>>(std::move(begun));
  REQUIRE(fold->upcasts() != nullptr);
  for (int round = 0; round < 3; ++round) {
    REQUIRE(!fold->settle());
    const auto results = upcast_all(*fold->upcasts(), "(data) => ({n: data, other: typeof mine})", {"1", "2"});
    CHECK(results[1] == R"({"n":2,"other":"undefined"})");
    for (const std::string& result : results) {
      const api::Upcast upcast{.version = 2, .data = result};
      CHECK(!fold->apply(*script_record("A", "0"), &upcast));
    }
  }
  const auto state = fold->state();
  REQUIRE(std::holds_alternative<api::FoldState>(state));
  CHECK(std::get<api::FoldState>(state).json == R"({"sum":9})");
}

TEST_CASE("WorkerUpcast.AHandlerSeesTheVersionThatItIsGiven") {
  auto begun =
      upcast_pool().begin(script_start("({A: (state, event) => [event.version, event.storedVersion, event.data]})"));
  REQUIRE(std::holds_alternative<std::unique_ptr<api::Fold>>(begun));
  const auto fold = std::get<std::unique_ptr<api::Fold>>(std::move(begun));
  const api::Upcast upcast{.version = 3, .data = "[7]"};
  CHECK(!fold->apply(*script_record("A", "0"), &upcast));
  const auto state = fold->state();
  REQUIRE(std::holds_alternative<api::FoldState>(state));
  CHECK(std::get<api::FoldState>(state).json == "[3,1,[7]]");
}

}  // namespace stele::tests
