// Worker processes as a server sees them: lent, killed, replaced.

#include "net/worker/worker_pool.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "net/worker/sandbox.h"
#include "tests/net/script_events.h"
#include "tests/support/eventually.h"
#include "tests/support/process_usage.h"
#include "tests/support/server_process.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

using Kind = api::FoldFailure::Kind;
using namespace std::chrono_literals;

/// Children of this process with that command, zombies too.
std::set<pid_t> workers() {
  std::set<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "stat");
    std::string line;
    std::getline(in, line);
    const std::size_t open = line.find('('), close = line.rfind(')');
    if (close == std::string::npos || std::stol(line.substr(close + 4)) != ::getpid()) continue;
    if (line.substr(open + 1, 5) == "stele") found.insert(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

/// Those that came since, once there is one.
pid_t new_worker(const std::set<pid_t>& before) {
  pid_t pid = 0;
  REQUIRE(eventually([&] {
    for (const pid_t one : workers()) {
      if (!before.contains(one)) pid = one;
    }
    return pid != 0;
  }));
  return pid;
}

constexpr const char* kGood = "({A: (s, e) => ({n: e.data})})";
constexpr const char* kForEver = "({A() { for (;;); }})";

void check_good(api::ScriptHost& host) { CHECK(fold_script(host, kGood, {{"A", "1"}}).text() == R"({"n":1})"); }

std::uint64_t kills_of(const api::ScriptHost& host, std::string_view cause) {
  for (const auto& kill : host.metrics().kills) {
    if (kill.cause == cause) return kill.count;
  }
  return 0;
}

std::unique_ptr<api::Fold> begin_fold(api::ScriptHost& host, std::string_view source) {
  auto begun = host.begin(script_start(source));
  REQUIRE(std::holds_alternative<std::unique_ptr<api::Fold>>(begun));
  return std::move(*std::get_if<std::unique_ptr<api::Fold>>(&begun));
}

/// A fold of one event whose function never ends, with time for it.
api::FoldFailure long_fold(api::ScriptHost& host, const api::ScriptStart& start) {
  std::vector<std::unique_ptr<Record>> records;
  records.push_back(script_record("A", "1"));
  const Folded folded = fold_records(host, start, records);
  REQUIRE(folded.failure.has_value());
  return *folded.failure;
}

}  // namespace

TEST_CASE("WorkerPool.OneProcessServesManyFolds") {
  net::WorkerPool pool(script_options());
  for (int i = 0; i < 20; ++i) check_good(pool);
  const api::ScriptMetrics metrics = pool.metrics();
  CHECK(metrics.busy == 0);
  CHECK(metrics.workers >= 1);
  CHECK(metrics.started <= 2);
  CHECK(pool.unavailable().empty());
  CHECK(pool.engine_id().starts_with("spidermonkey-102."));
  CHECK(pool.engine_id().size() <= 64);
}

TEST_CASE("WorkerPool.NothingIsStartedBeforeItIsAskedFor") {
  for (const bool start_ahead : {false, true}) {
    net::WorkerOptions options = script_options();
    options.start_ahead = start_ahead;
    net::WorkerPool pool(options);
    CHECK(pool.metrics().started == 0);
    {
      const auto fold = begin_fold(pool, kGood);
      if (start_ahead) CHECK(eventually([&] { return pool.metrics().started == 2; }));
    }
    CHECK(pool.metrics().started == (start_ahead ? 2 : 1));
  }
}

TEST_CASE("WorkerPool.BusyIfAllServeAnother") {
  net::WorkerOptions options = script_options();
  options.workers_max = 2;
  options.busy_wait = 0ms;
  net::WorkerPool pool(options);
  auto first = begin_fold(pool, kGood);
  auto second = begin_fold(pool, kGood);
  CHECK(pool.metrics().busy == 2);
  const Folded third = fold_script(pool, kGood);
  REQUIRE(third.failure.has_value());
  CHECK(third.failure->kind == Kind::Busy);
  first.reset();
  check_good(pool);
}

TEST_CASE("WorkerPool.BeginMayWaitForAFoldToEnd") {
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  net::WorkerPool pool(options);
  auto first = begin_fold(pool, kGood);
  std::thread other([&] { check_good(pool); });
  wait_until([&] { return pool.metrics().waiting == 1; });
  first.reset();
  other.join();
}

TEST_CASE("WorkerPool.UpcastsLeaveThreadsToThoseWhoNeedNone") {
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  options.reader_threads = 4;
  net::WorkerPool pool(options);
  api::UpcastScriptLimits limits;
  limits.deadline = std::chrono::steady_clock::now() + 60s;
  using Scripts = std::unique_ptr<api::UpcastScripts>;
  auto first = pool.begin_upcasts(limits);
  REQUIRE(std::holds_alternative<Scripts>(first));
  std::atomic<int> served{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] { served += std::holds_alternative<Scripts>(pool.begin_upcasts(limits)) ? 1 : 0; });
  }
  CHECK(eventually([&] { return pool.metrics().waiting == 2; }));
  const auto third = pool.begin_upcasts(limits);
  REQUIRE(std::holds_alternative<api::UpcastFailure>(third));
  CHECK(std::get<api::UpcastFailure>(third).passes);
  CHECK(std::get<api::UpcastFailure>(third).slug == "busy");
  CHECK(served == 0);
  std::get<Scripts>(first).reset();
  for (std::thread& reader : readers) reader.join();
  CHECK(served == 2);
  // The places are free again.
  CHECK(std::holds_alternative<Scripts>(pool.begin_upcasts(limits)));
}

TEST_CASE("WorkerPool.WhoeverWaitsForAStartDoesNotCountAsWaiting") {
  net::WorkerOptions options = script_options();
  options.reader_threads = 4;  // one may wait
  net::WorkerPool pool(options);
  api::UpcastScriptLimits limits;
  limits.deadline = std::chrono::steady_clock::now() + 60s;
  std::atomic<int> served{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      served += std::holds_alternative<std::unique_ptr<api::UpcastScripts>>(pool.begin_upcasts(limits)) ? 1 : 0;
    });
  }
  for (std::thread& reader : readers) reader.join();
  CHECK(served == 3);
}

TEST_CASE("WorkerPool.AWorkerThatIsKilledGivesDiedAndIsReplaced") {
  const std::set<pid_t> before = workers();
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  net::WorkerPool pool(options);
  check_good(pool);
  const pid_t worker = new_worker(before);
  auto fold = begin_fold(pool, kForEver);
  const std::uint64_t begun = processor_ticks(worker);
  std::thread killer([&] {
    (void)eventually([&] { return processor_ticks(worker) > begun + 1; });
    ::kill(worker, SIGKILL);
  });
  CHECK_FALSE(fold->apply(*script_record("A", "1")));
  const auto state = fold->state();
  killer.join();
  const auto* const failure = std::get_if<api::FoldFailure>(&state);
  REQUIRE(failure != nullptr);
  CHECK(failure->kind == Kind::Died);
  fold.reset();
  check_good(pool);
  CHECK(kills_of(pool, "died") == 1);
  // One that is killed while it is free is not even noticed.
  ::kill(new_worker(before), SIGKILL);
  check_good(pool);
  CHECK(eventually([&] { return kills_of(pool, "died") == 2; }));
}

TEST_CASE("WorkerPool.AnUpcastUnderWhichAProcessIsKilledIsToldSo") {
  const std::set<pid_t> before = workers();
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  net::WorkerPool pool(options);
  api::UpcastScriptLimits limits;
  limits.deadline = std::chrono::steady_clock::now() + 60s;
  auto begun = pool.begin_upcasts(limits);
  REQUIRE(std::holds_alternative<std::unique_ptr<api::UpcastScripts>>(begun));
  api::UpcastScripts& scripts = *std::get<std::unique_ptr<api::UpcastScripts>>(begun);
  ::kill(new_worker(before), SIGKILL);
  const auto record = script_record("A", "1");
  std::vector<api::UpcastScripts::Task> tasks(2, {.event = record.get(), .data = "1"});
  scripts.run("(data) => data", tasks);
  CHECK(!scripts.usable());
  REQUIRE(tasks[0].failure.has_value());
  CHECK(tasks[0].failure->passes);
  CHECK(tasks[0].failure->slug == api::kWorkerDied);
  CHECK(!tasks[1].failure);
  CHECK(!tasks[1].result);
}

TEST_CASE("WorkerPool.ADeadlineEndsAFoldWhateverItsWorkerDoes") {
  const std::set<pid_t> before = workers();
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  net::WorkerPool pool(options);
  check_good(pool);
  const pid_t worker = new_worker(before);
  api::ScriptStart start = script_start(kForEver);
  start.deadline = std::chrono::steady_clock::now() + 300ms;
  CHECK(long_fold(pool, start).limit == "replay-time");
  check_good(pool);
  ::kill(new_worker(before), SIGSTOP);
  CHECK(worker != 0);
  start = script_start(kGood);
  start.deadline = std::chrono::steady_clock::now() + 300ms;
  CHECK(long_fold(pool, start).limit == "replay-time");
  check_good(pool);
  CHECK(kills_of(pool, "replay-time") == 2);
}

TEST_CASE("WorkerPool.AFoldThatNobodyWaitsForEnds") {
  net::WorkerPool pool(script_options());
  std::atomic<int> asked{0};
  api::ScriptStart start = script_start(kForEver);
  start.abandoned = [&] { return ++asked > 3; };
  CHECK(long_fold(pool, start).kind == Kind::Abandoned);
  CHECK(asked == 4);
  {
    auto begun = begin_fold(pool, kForEver);
    for (int i = 0; i < 600; ++i) (void)begun->apply(*script_record("A", "1"));
  }  // given up in the middle
  CHECK(kills_of(pool, "abandoned") >= 1);
  check_good(pool);
}

TEST_CASE("WorkerPool.FailuresOfScriptsDoNotCostAProcess") {
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  net::WorkerPool pool(options);
  for (int i = 0; i < 5; ++i) {
    CHECK(fold_script(pool, "({", {}).failure->kind == Kind::Syntax);
    CHECK(fold_script(pool, "({A() { throw 1 }})", {{"A", "1"}, {"A", "1"}}).failure->kind == Kind::Threw);
    CHECK(fold_script(pool, "({A: () => NaN})", {{"A", "1"}}).failure->kind == Kind::NoJson);
    check_good(pool);
  }
  CHECK(pool.metrics().started == 1);
}

TEST_CASE("WorkerPool.AFailureInALongFoldIsThatOfItsEvent") {
  net::WorkerPool pool(script_options());
  std::vector<std::unique_ptr<Record>> records;
  for (std::uint64_t i = 0; i < 5000; ++i) records.push_back(script_record("A", std::to_string(i), i));
  const Folded folded = fold_records(pool, script_start("({A(s, e) { if (e.data === 3210) throw 'here' }})"), records);
  REQUIRE(folded.failure.has_value());
  CHECK(folded.failure->event == 3210U);
  check_good(pool);
}

TEST_CASE("WorkerPool.ALimitIsThatOfItsEvent") {
  net::WorkerPool pool(script_options());
  // The engine stops the first; nothing but the end of the process stops the second.
  for (const char* const never : {"for (;;);", "'a'.repeat(2 ** 27).indexOf('a'.repeat(2 ** 14) + 'b')"}) {
    const std::string source = std::string("({A(s, e) { if (e.data === 2) ") + never + " }})";
    const Folded folded = fold_script(pool, script_start(source, 1s), {{"A", "0"}, {"A", "1"}, {"A", "2"}, {"A", "3"}});
    REQUIRE(folded.failure.has_value());
    CHECK(folded.failure->limit == "call-time");
    CHECK(folded.failure->event == 2U);
  }
}

TEST_CASE("WorkerPool.AllThreadsOfAProcessAreConfined" * doctest::skip(!net::can_confine())) {
  const std::set<pid_t> before = workers();
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  net::WorkerPool pool(options);
  check_good(pool);
  const std::string worker = "/proc/" + std::to_string(new_worker(before));
  std::size_t threads = 0;
  for (const auto& entry : std::filesystem::directory_iterator(worker + "/task")) {
    std::ifstream in(entry.path() / "status");
    const std::string status{std::istreambuf_iterator<char>(in), {}};
    CHECK_MESSAGE(contains(status, "Seccomp:\t2"), status);
    CHECK_MESSAGE(contains(status, "NoNewPrivs:\t1"), status);
    ++threads;
  }
  CHECK(threads >= 2);
  std::size_t descriptors = 0;
  std::error_code not_to_be_seen;
  for (const auto& entry : std::filesystem::directory_iterator(worker + "/fd", not_to_be_seen)) {
    std::error_code ignored;
    const std::string target = std::filesystem::read_symlink(entry.path(), ignored).string();
    CHECK_MESSAGE((target == "/dev/null" || target.starts_with("socket:")), target);
    ++descriptors;
  }
  if (!not_to_be_seen) CHECK(descriptors == 4);
  std::ifstream environment(worker + "/environ");
  CHECK(std::string{std::istreambuf_iterator<char>(environment), {}}.empty());
}

TEST_CASE("WorkerPool.LargeEventsAndStatesPass") {
  net::WorkerPool pool(script_options());
  std::vector<std::unique_ptr<Record>> records;
  const std::string data = "\"" + std::string(1U << 20, 'x') + "\"";
  for (std::uint64_t i = 0; i < 12; ++i) records.push_back(script_record("A", data, i));
  const Folded folded = fold_records(pool, script_start("({$init: () => [], A(s, e) { s.push(e.data) }})"), records);
  REQUIRE_MESSAGE(folded.state.has_value(), folded.text());
  CHECK(folded.state->json.size() == 12 * (data.size() + 1) + 1);
  // And back in.
  api::ScriptStart start = script_start("({A(s, e) { return s.length }})");
  start.state = folded.state->json;
  records.resize(1);
  CHECK(fold_records(pool, start, records).text() == "12");
}

TEST_CASE("WorkerPool.AStateThatIsNotReadInTimeIsALimit" * doctest::skip(!net::can_confine())) {
  net::WorkerPool pool(script_options());
  const std::string state = std::string(1'500'000, '[') + std::string(1'500'000, ']');
  api::ScriptStart start = script_start("({})");
  start.state = state;
  const Folded folded = fold_records(pool, start, {});
  REQUIRE(folded.failure.has_value());
  CHECK_MESSAGE((folded.failure->limit == "state-time" || folded.failure->limit == "memory"), folded.text());
  check_good(pool);
}

TEST_CASE("WorkerPool.AProcessHasABoundedLife") {
  net::WorkerOptions options = script_options();
  options.workers_max = 1;
  options.folds_max = 3;
  net::WorkerPool pool(options);
  for (int i = 0; i < 9; ++i) check_good(pool);
  CHECK(kills_of(pool, "worn") == 3);
}

TEST_CASE("WorkerPool.ProcessesThatWereRetiredServeNoOtherFold") {
  const std::set<pid_t> before = workers();
  net::WorkerOptions options = script_options();
  options.workers_max = 2;
  options.start_ahead = false;
  net::WorkerPool pool(options);
  auto fold = begin_fold(pool, kGood);
  check_good(pool);
  std::set<pid_t> retired = workers();
  for (const pid_t pid : before) retired.erase(pid);
  REQUIRE(retired.size() == 2);
  const std::uint64_t mark = pool.retire();
  CHECK_FALSE(pool.has_retired(mark));  // one is at work
  check_good(pool);
  CHECK_FALSE(pool.has_retired(mark));
  fold.reset();
  CHECK(eventually([&] { return pool.has_retired(mark); }));
  for (const pid_t pid : workers()) CHECK_FALSE(retired.contains(pid));
  check_good(pool);
}

TEST_CASE("WorkerPool.WhatCannotBeStartedIsUnavailable") {
  for (const char* const program : {"/nonexistent", "/bin/true"}) {
    net::WorkerOptions options = script_options();
    options.program = program;
    net::WorkerPool pool(options);
    const Folded folded = fold_script(pool, kGood);
    REQUIRE(folded.failure.has_value());
    CHECK(folded.failure->kind == Kind::Unavailable);
    CHECK_MESSAGE(contains(folded.failure->message, program), folded.failure->message);
    CHECK(pool.unavailable() == folded.failure->message);
    CHECK(pool.metrics().workers == 0);
  }
}

TEST_CASE("WorkerPool.NothingIsLeftOfIt") {
  const std::set<pid_t> before = workers();
  {
    net::WorkerPool pool(script_options());
    CHECK(fold_script(pool, script_start(kForEver, kBriefly), {{"A", "1"}}).failure->limit == "call-time");
    check_good(pool);
    auto held = begin_fold(pool, kGood);
    CHECK(eventually([&] { return workers().size() == before.size() + 2; }));
  }
  CHECK(workers() == before);
}

TEST_CASE("WorkerPool.ManyThreadsFoldAtOnce") {
  net::WorkerOptions options = script_options();
  options.workers_max = 3;
  net::WorkerPool pool(options);
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::map<std::string, int> ends;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 15; ++i) {
        const bool hostile = (i + t) % 5 == 0;
        const api::ScriptStart start = hostile ? script_start(kForEver, kBriefly) : script_start(kGood);
        const Folded folded = fold_script(pool, start, {{"A", "1"}});
        const std::lock_guard lock(mutex);
        ++ends[folded.text()];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& [end, count] : ends) {
    CHECK_MESSAGE((end == R"({"n":1})" ? count == 48 : count == 12 && end.starts_with("call-time: ")), end);
  }
}

TEST_CASE("WorkerPool.TheCommandIsNoCommandForPeople") {
  const ProcessResult result = run_stele({"worker"});
  CHECK(result.exit_code == 2);
  CHECK(contains(result.err, "stele serve"));
  CHECK_FALSE(contains(run_stele({"--help"}).out, "worker"));
}

}  // namespace stele::tests
