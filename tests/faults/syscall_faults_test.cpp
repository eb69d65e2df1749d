// Every system call by which the server uses its data folder fails: strace makes the N-th one of a kind, or all from
// the N-th on, return EIO or ENOSPC without doing anything, for every kind and N that a run without faults shows. What
// must hold: the server refuses with a clear answer or does not start with a clear message, never dies of a signal, and
// has lost nothing it acknowledged when it is started again without faults.
//
// Short writes are not played here: strace can only pretend that bytes were written. See short_write_test.cpp.
// Two threads that both make N calls of a kind (the committer and the preallocator of segments) both see their N-th
// fail. STELE_FAULT_TRIALS sets how many of the trials are made (0 = all), STELE_FAULT_SEED which.

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/build_paths.h"
#include "tests/support/environment.h"
#include "tests/support/ledger.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

using namespace stele::tests;
using stele::test::number_from;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kStrace = "/usr/bin/strace";
constexpr std::string_view kListening = "listening on http://127.0.0.1:";
constexpr LoadOptions kLoad{.aggregates = 5, .data_bytes_max = 8000};
constexpr int kCommits = 30;  ///< about three segments of 64 KiB, and index runs of 8 records that are merged

/// All kinds of calls that may name or use a file.
constexpr std::string_view kTraced = "trace=%file,%desc";
/// Linux does the work of these whatever they return, so a failure that did nothing would be a lie; execve is strace's.
constexpr std::array<std::string_view, 3> kNeverFailing{"close", "munmap", "execve"};

enum class Scenario {
  Create,   ///< a store is made
  Recover,  ///< a store that was killed, with a torn last write, is opened
  Append,   ///< a running store takes events, rolls its segments and is closed
};
constexpr std::array kScenarios{Scenario::Create, Scenario::Recover, Scenario::Append};

const char* name_of(Scenario scenario) {
  switch (scenario) {
    case Scenario::Create:
      return "create";
    case Scenario::Recover:
      return "recover";
    case Scenario::Append:
      break;
  }
  return "append";
}

struct Fault {
  std::string call;
  int number = 1;
  std::string error;      ///< EIO, ENOSPC
  bool persists = false;  ///< all later calls fail too
};

/// What a run without faults does to the data folder.
struct Calls {
  std::map<std::string, int> counts;  ///< of each kind: the most that any thread makes
  std::set<std::string> paths;
};

std::size_t occurrences(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// Calls that change the disk: these may also fail for good, as on a dead or a full one.
bool changes_disk(const std::string& call) {
  static constexpr std::array<std::string_view, 5> parts{"open", "mkdir", "write", "sync", "rename"};
  return call == "fallocate" || call == "ftruncate" ||
         std::any_of(parts.begin(), parts.end(), [&](auto part) { return call.find(part) != std::string::npos; });
}

class Trials {
 public:
  Trials() { make_killed_store(); }

  /// Runs the scenario once; with a fault, judges what comes of it.
  void run(Scenario scenario, const std::optional<Fault>& fault);
  [[nodiscard]] Calls observed() const;

  /// Of the last run: calls that strace let fail.
  [[nodiscard]] std::size_t struck() const { return occurrences(read_file(trace()), "(INJECTED)"); }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t starts_refused() const { return starts_refused_; }
  [[nodiscard]] std::uint64_t appends_refused() const { return appends_refused_; }
  void paths(std::set<std::string> paths) { paths_ = std::move(paths); }

 private:
  /// As strace tells it: TMPDIR may lead through symbolic links.
  [[nodiscard]] std::string data() const { return fs::canonical(folder_.path()).string() + "/data"; }
  [[nodiscard]] std::string trace() const { return folder_.file("trace"); }
  void make_killed_store();
  [[nodiscard]] std::vector<std::string> strace(const std::optional<Fault>& fault) const;
  void append(int port, Ledger& ledger, int commits);
  void check_end(ChildProcess& server);
  void check_again(Ledger& ledger);
  void verify(int port, Ledger& ledger);

  TempFolder folder_;
  std::set<std::string> paths_;
  Ledger killed_ledger_;
  std::uint64_t acknowledged_ = 0, lost_ = 0, starts_refused_ = 0, appends_refused_ = 0;
};

std::vector<std::string> serve_arguments(const std::string& folder) {
  return {stele_binary(),        "serve", "--data", folder, "--listen", "127.0.0.1:0", "--segment-size", "64KiB",
          "--index-run-records", "8"};
}

ServerProcess start_plainly(const std::string& folder) {
  return ServerProcess::start({.data = folder, .arguments = {"--segment-size", "64KiB", "--index-run-records", "8"}});
}

/// Bytes behind the last group, as a write that power cut short leaves them.
void tear_last_write(const std::string& log) {
  std::string last;
  for (const auto& entry : fs::directory_iterator(log)) {
    if (entry.path().extension() == ".seg") last = std::max(last, entry.path().string());
  }
  std::string bytes = read_file(last);
  const std::size_t end = bytes.find_last_not_of('\0') + 1;
  REQUIRE(end + 600 < bytes.size());
  std::fstream out(last, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(static_cast<std::streamoff>(end + 512));
  out << std::string(64, 'T');
}

void Trials::make_killed_store() {
  ServerProcess server = start_plainly(folder_.file("killed"));
  append(server.port(), killed_ledger_, kCommits);
  server.kill();
  tear_last_write(folder_.file("killed/log"));
}

std::vector<std::string> Trials::strace(const std::optional<Fault>& fault) const {
  std::vector<std::string> arguments{std::string(kStrace), "-f", "-o", trace()};
  if (!fault) {
    arguments.insert(arguments.end(), {"-y", "-e", std::string(kTraced)});
    return arguments;
  }
  arguments.insert(arguments.end(), {"-e", "trace=" + fault->call, "-e",
                                     "inject=" + fault->call + ":error=" + fault->error +
                                         ":when=" + std::to_string(fault->number) + (fault->persists ? "+" : "")});
  for (const std::string& path : paths_) arguments.insert(arguments.end(), {"-P", path});
  return arguments;
}

void Trials::append(int port, Ledger& ledger, int commits) {
  std::mt19937_64 random(7);  // the same sizes every time, so that a number means the same call
  HttpClient http(port);
  for (int i = 0; i < commits; ++i) {
    const HttpResponse answer = ledger.send(http, make_commit(random, kLoad));
    if (answer.status == 201 || answer.status == 409) continue;
    ++appends_refused_;
    const bool clear = (answer.status == 500 || answer.status == 503 || answer.status == 507) &&
                       answer.header("Content-Type") == "application/problem+json";
    CHECK_MESSAGE(clear, answer.status, " ", answer.error, " ", answer.body);
  }
  // Whatever broke, it tells how it is.
  CHECK(http.get("/healthz").status == 200);
  const int ready = http.get("/readyz").status;
  CHECK((ready == 200 || ready == 503));
}

/// A server ends by itself, with a message if something is wrong.
void Trials::check_end(ChildProcess& server) {
  const int code = server.wait();
  CHECK_MESSAGE((code == 0 || code == 1), "exit code ", code, "\n", server.err());
  if (code == 1) CHECK_MESSAGE(server.err().find("stele serve: ") != std::string::npos, server.err());
}

void Trials::verify(int port, Ledger& ledger) {
  for (const Comparison& found : {ledger.compare(port), ledger.settle(port)}) {
    lost_ += found.lost;
    CHECK_MESSAGE(found.errors.empty(), found.text());
  }
}

void Trials::check_again(Ledger& ledger) {
  ServerProcess server = start_plainly(data());
  verify(server.port(), ledger);
  const std::uint64_t refused = appends_refused_;
  append(server.port(), ledger, 3);
  CHECK(appends_refused_ == refused);
  verify(server.port(), ledger);
  acknowledged_ += ledger.acknowledged();
}

void Trials::run(Scenario scenario, const std::optional<Fault>& fault) {
  fs::remove_all(data());
  fs::remove(trace());
  if (scenario == Scenario::Recover) fs::copy(folder_.file("killed"), data(), fs::copy_options::recursive);
  const auto ledger =
      scenario == Scenario::Recover ? std::make_unique<Ledger>(killed_ledger_) : std::make_unique<Ledger>();

  if (scenario == Scenario::Append) {
    ServerProcess server = start_plainly(data());
    std::vector<std::string> arguments = strace(fault);
    arguments.insert(arguments.end(), {"-p", std::to_string(server.pid())});
    const auto tracer = ChildProcess::start(arguments);
    // One line for all threads: "Process 1 attached with 9 threads".
    REQUIRE_MESSAGE(!tracer->wait_for_stderr(" attached").empty(), tracer->err());
    append(server.port(), *ledger, kCommits);
    server.process().signal(SIGTERM);
    check_end(server.process());
    tracer->wait();
  } else {
    std::vector<std::string> arguments = strace(fault);
    // strace as a grandchild: the server is our child, and its exit code and signals are its own.
    arguments.insert(arguments.begin() + 1, {"-D", "--seccomp-bpf"});
    const std::vector<std::string> serve = serve_arguments(data());
    arguments.insert(arguments.end(), serve.begin(), serve.end());
    const auto server = ChildProcess::start(arguments);
    const std::string line = server->wait_for_stderr(kListening);
    if (line.empty()) {
      REQUIRE_MESSAGE(fault, "the server does not start under strace:\n", server->err());
      ++starts_refused_;
      CHECK(server->wait() == 1);
    } else {
      append(std::atoi(line.c_str() + kListening.size()), *ledger, 5);
      server->signal(SIGTERM);
    }
    check_end(*server);
  }
  check_again(*ledger);
}

/// Lines are like: 4711 pwrite64(5</data/log/1.seg>, "…", 215, 4096) = 215
Calls Trials::observed() const {
  std::map<std::pair<std::string, std::string>, int> of_threads;
  Calls calls;
  std::istringstream lines(read_file(trace()));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t name = line.find_first_not_of(' ', line.find(' '));
    const std::size_t open = line.find('(');
    if (open == std::string::npos || name > open) continue;
    bool ours = false;
    for (std::size_t at = line.find(data()); at != std::string::npos; at = line.find(data(), at + 1)) {
      ours = true;
      calls.paths.insert(line.substr(at, line.find_first_of(">\"", at) - at));
    }
    const std::string call = line.substr(name, open - name);
    if (std::find(kNeverFailing.begin(), kNeverFailing.end(), call) != kNeverFailing.end()) continue;
    if (ours && call.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string::npos) {
      int& most = calls.counts[call];
      most = std::max(most, ++of_threads[{line.substr(0, line.find(' ')), call}]);
    }
  }
  return calls;
}

}  // namespace

// Both ways in which the trials trace, also how tools/test finds out whether they can be made: a child may be traced
// where attaching to another process is not allowed (Yama), and calls may fail by injection only where the kernel can
// do that.
TEST_CASE("Tracing.OfAChildAndOfAnotherProcessIsAllowed") {
  const auto demand = [](bool holds, const std::string& words) {
    if (!holds) throw std::runtime_error("processes cannot be traced (ptrace): " + words.substr(0, words.find('\n')));
  };
  const ProcessResult child = run_process({std::string(kStrace), "-D", "--seccomp-bpf", "-f", "-o", "/dev/null", "-e",
                                           "trace=chdir", "-e", "inject=chdir:error=EIO", "/bin/sh", "-c", "! cd /"});
  demand(child.exit_code == 0, child.err);
  const auto other = ChildProcess::start({"/bin/cat"}, {}, true);
  const auto tracer =
      ChildProcess::start({std::string(kStrace), "-f", "-o", "/dev/null", "-p", std::to_string(other->pid())});
  demand(!tracer->wait_for_stderr(" attached").empty(), tracer->err());
  other->close_stdin();
  CHECK(other->wait() == 0);
  CHECK(tracer->wait() == 0);
}

TEST_CASE("SyscallFaults.NothingAcknowledgedIsLostWhateverFails") {
  const std::uint64_t limit = number_from("STELE_FAULT_TRIALS", 200);
  const std::uint64_t seed = number_from("STELE_FAULT_SEED", std::random_device{}());

  Trials trials;
  std::vector<std::pair<Scenario, Fault>> planned;
  std::set<std::string> paths;
  std::string counted;
  for (const Scenario scenario : kScenarios) {
    trials.run(scenario, std::nullopt);
    const Calls calls = trials.observed();
    REQUIRE(calls.counts.contains("pwrite64"));
    REQUIRE(calls.counts.contains("fdatasync"));
    paths.insert(calls.paths.begin(), calls.paths.end());
    counted += std::string(counted.empty() ? "" : "\n") + name_of(scenario) + ":";
    for (const auto& [call, count] : calls.counts) {
      counted += " " + call + " " + std::to_string(count);
      for (int number = 1; number <= count; ++number) {
        planned.push_back({scenario, {call, number, "EIO"}});
        if (!changes_disk(call)) continue;
        planned.push_back({scenario, {call, number, "ENOSPC"}});
        planned.push_back({scenario, {call, number, "EIO", true}});
        planned.push_back({scenario, {call, number, "ENOSPC", true}});
      }
    }
  }
  trials.paths(std::move(paths));
  MESSAGE("calls on the data folder, of the thread that makes most\n" << counted);

  std::mt19937_64 random(seed);
  const std::size_t all = planned.size();
  if (limit != 0 && limit < all) {
    std::shuffle(planned.begin(), planned.end(), random);
    planned.resize(limit);
  }
  std::size_t struck = 0;
  for (const auto& [scenario, fault] : planned) {
    const std::string what = std::string(name_of(scenario)) + ", " + fault.call + " " + std::to_string(fault.number) +
                             ": " + fault.error + (fault.persists ? " from there on" : "");
    CAPTURE(what);
    trials.run(scenario, fault);
    if (trials.struck() > 0) ++struck;
  }
  MESSAGE(planned.size() << " trials of " << all << " (seed " << seed << "), in " << struck
                         << " the fault struck: " << trials.starts_refused() << " starts and "
                         << trials.appends_refused() << " appends refused, " << trials.acknowledged()
                         << " events acknowledged, " << trials.lost() << " lost");
  CHECK(trials.lost() == 0);
  // Timing moves a few calls from one thread to another; most trials must still be ones.
  CHECK(struck * 10 >= planned.size() * 9);
}

TEST_CASE("SyscallFaults.AFileSystemWithoutFlockIsSaidAndTheLockFileStillCounts") {
  for (const char* error : {"ENOLCK", "EOPNOTSUPP"}) {
    CAPTURE(error);
    const TempFolder folder;
    const std::string data = folder.file("data");
    std::vector<std::string> arguments{std::string(kStrace),
                                       "-f",
                                       "-D",
                                       "--seccomp-bpf",
                                       "-o",
                                       "/dev/null",
                                       "-e",
                                       "trace=flock",
                                       "-e",
                                       std::string("inject=flock:error=") + error};
    const std::vector<std::string> serve = serve_arguments(data);
    arguments.insert(arguments.end(), serve.begin(), serve.end());
    const auto server = ChildProcess::start(arguments);
    const std::string line = server->wait_for_stderr(kListening);
    REQUIRE_MESSAGE(!line.empty(), server->err());
    CHECK(server->err().find("only the lock file keeps other processes out") != std::string::npos);
    Ledger ledger;
    std::mt19937_64 random(7);
    HttpClient http(std::atoi(line.c_str() + kListening.size()));
    for (int i = 0; i < kCommits; ++i) CHECK(ledger.send(http, make_commit(random, kLoad)).status < 500);
    const ProcessResult second = run_process(serve);
    CHECK(second.exit_code == 1);
    CHECK_MESSAGE(second.err.find("Another process") != std::string::npos, second.err);
    http.close();
    server->signal(SIGTERM);
    CHECK(server->wait() == 0);
  }
}
