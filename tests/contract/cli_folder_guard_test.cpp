// Things that are done to the data folder of a running server: by cleaners, by scripts that restore, by people who move
// folders. Whatever was acknowledged stays, and no second server writes beside the first.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/support/eventually.h"
#include "tests/support/ledger.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

namespace fs = std::filesystem;

ServerProcess start(const std::string& data) {
  return ServerProcess::start({.data = data, .arguments = {"--segment-size", "64KiB", "--index-run-records", "8"}});
}

/// A server, what it acknowledged, and a client.
struct Running {
  explicit Running(const std::string& data) : server(start(data)), http(server.port()) { append(20); }

  void append(int commits) {
    for (int i = 0; i < commits; ++i)
      answer = ledger.send(http, make_commit(random, {.aggregates = 5, .data_bytes_max = 3000}));
  }
  /// Appends until the server has noticed by itself, which it does once a second.
  void append_until_it_stops() {
    while (answer.status < 500) append(1);
    // What cannot be written may be said for another reason first.
    wait_until([&] { return contains(http.get("/readyz").body, "restart the server"); });
  }
  void check_stopped(std::string_view why) {
    const HttpResponse ready = http.get("/readyz");
    CHECK(ready.status == 503);
    CHECK_MESSAGE(contains(ready.body, why), ready.body);
    CHECK(contains(ready.body, "restart the server"));
    append(1);
    CHECK(answer.status == 503);
    CHECK(contains(answer.body, "/problems/unavailable"));
    CHECK(http.get("/v1/events?limit=1").status == 200);
    CHECK(contains(http.get("/metrics").body, "stele_writable 0"));
  }
  /// Ends it in good order, and finds all that was acknowledged in the folder where it went.
  void check_nothing_lost(const std::string& data) {
    http.close();
    CHECK(server.stop() == 0);
    ServerProcess again = start(data);
    for (const Comparison& found : {ledger.compare(again.port()), ledger.settle(again.port())}) {
      CHECK_MESSAGE(found.errors.empty(), found.text());
    }
    CHECK(again.stop() == 0);
  }

  ServerProcess server;
  HttpClient http;
  Ledger ledger;
  std::mt19937_64 random{1};
  HttpResponse answer;
};

/// At once, so that there is no moment in which one of them is not there.
void exchange(const std::string& one, const std::string& other) {
  REQUIRE(renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0);
}

std::string newest_segment(const std::string& data) {
  std::string newest;
  for (const auto& entry : fs::directory_iterator(data + "/log")) {
    if (entry.path().extension() == ".seg") newest = std::max(newest, entry.path().string());
  }
  return newest;
}

}  // namespace

TEST_CASE("FolderGuard.WithoutTheLockFileASecondServerIsRefusedAndTheFirstOneStops") {
  const TempFolder folder;
  Running first(folder.path());
  fs::remove(folder.file("lock"));
  const auto second = run_stele({"serve", "--data", folder.path(), "--listen", "127.0.0.1:0"});
  CHECK(second.exit_code == 1);
  CHECK_MESSAGE(contains(second.err, "Another process"), second.err);
  first.append_until_it_stops();
  first.check_stopped("the lock file was removed");
  first.check_nothing_lost(folder.path());
}

TEST_CASE("FolderGuard.WithAnotherLockFileASecondServerIsRefusedToo") {
  const TempFolder folder;
  Running first(folder.path());
  std::ofstream(folder.file("lock.new")) << "";
  fs::rename(folder.file("lock.new"), folder.file("lock"));
  const auto second = run_stele({"serve", "--data", folder.path(), "--listen", "127.0.0.1:0"});
  CHECK(second.exit_code == 1);
  CHECK_MESSAGE(contains(second.err, "Another process"), second.err);
  first.append_until_it_stops();
  first.check_stopped("the lock file was replaced");
  first.check_nothing_lost(folder.path());
}

TEST_CASE("FolderGuard.AFolderThatIsMovedAwayTakesNoMoreAppends") {
  const TempFolder folder;
  Running first(folder.file("data"));
  SUBCASE("and is not made again") { fs::rename(folder.file("data"), folder.file("moved")); }
  SUBCASE("nor is an empty one in its place filled") {
    fs::create_directory(folder.file("moved"));
    exchange(folder.file("data"), folder.file("moved"));
  }
  const bool replaced = fs::exists(folder.file("data"));
  first.append_until_it_stops();
  first.check_stopped(replaced ? "the data folder was replaced" : "the data folder was removed or moved away");
  CHECK(fs::exists(folder.file("data")) == replaced);
  if (replaced) CHECK(fs::is_empty(folder.file("data")));
  first.check_nothing_lost(folder.file("moved"));
}

TEST_CASE("FolderGuard.AnotherStoreInThePlaceIsLeftAlone") {
  const TempFolder folder;
  Running first(folder.file("data"));
  Running other(folder.file("other"));
  other.http.close();
  CHECK(other.server.stop() == 0);
  exchange(folder.file("data"), folder.file("other"));
  // Both run, the first one under a name that is no longer its own.
  other.server = start(folder.file("data"));
  other.http = HttpClient(other.server.port());
  first.append_until_it_stops();
  first.check_stopped("the data folder was replaced");
  other.append(40);
  const HttpResponse ready = other.http.get("/readyz");
  CHECK_MESSAGE(ready.status == 200, ready.body);
  other.check_nothing_lost(folder.file("data"));
  first.check_nothing_lost(folder.file("other"));
}

TEST_CASE("FolderGuard.AnActiveSegmentThatIsGoneOrCutIsNoticedBeforeTheNextAnswer") {
  const TempFolder folder;
  Running first(folder.path());
  const std::string segment = newest_segment(folder.path());
  fs::copy_file(segment, folder.file("copy"));
  std::string why = "removed or replaced", words_of_guard;
  bool restored = false;
  SUBCASE("removed") {
    fs::remove(segment);
    words_of_guard = "the active segment was removed or moved away";
  }
  SUBCASE("restored over") {
    fs::rename(folder.file("copy"), segment);
    words_of_guard = "the active segment was replaced";
    restored = true;
  }
  SUBCASE("cut off") {
    fs::resize_file(segment, fs::file_size(segment) - 512);
    why = "cut off or extended";
  }
  first.append(1);
  while (first.answer.status == 409) first.append(1);  // that one had nothing to write
  CHECK(first.answer.status == 503);
  // The guard, which looks once a second, may have come by before the append.
  const bool is_guarded = !words_of_guard.empty() && contains(first.answer.body, "/problems/unavailable");
  if (!is_guarded) CHECK_MESSAGE(contains(first.answer.body, "/problems/outcome-unknown"), first.answer.body);
  first.check_stopped(is_guarded ? words_of_guard : why);
  CHECK(first.server.stop() == 0);
  if (restored) {
    ServerProcess again = start(folder.path());
    const Comparison found = first.ledger.compare(again.port());
    CHECK_MESSAGE(found.errors.empty(), found.text());
  }
}

TEST_CASE("FolderGuard.AnActiveSegmentThatIsMovedAwayStopsAppends") {
  const TempFolder folder;
  Running first(folder.path());
  fs::rename(newest_segment(folder.path()), folder.file("segment"));
  first.append_until_it_stops();
  first.check_stopped("the active segment was removed or moved away");
  CHECK(first.server.stop() == 0);
}

TEST_CASE("FolderGuard.TheIndexMayGoAndAppendsGoOn") {
  const TempFolder folder;
  Running first(folder.path());
  fs::remove_all(folder.file("index"));
  fs::create_directory(folder.file("index"));
  first.append(100);
  // A run that was being written when its folder went fails, and is made again a second later.
  CHECK(eventually([&] {
    first.append(1);
    return first.answer.status == 201 || first.answer.status == 409;
  }));
  first.check_nothing_lost(folder.path());
}

}  // namespace stele::tests
