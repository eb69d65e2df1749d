// Work in the background: verifying what is sealed, merging runs, making damaged ones again.

#include "engine/recovery/scrubber.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/eventually.h"
#include "tests/support/sample_store.h"

using namespace stele;
using namespace stele::test;
using stele::tests::wait_until;

namespace {

constexpr std::uint64_t kScrubbedEvents = 900;

FileContents make_scrubbed_files() {
  SimulatedFileSystem disk(1);
  auto store = Store::open(sample_options(disk));
  REQUIRE(store);
  append_sample(**store, kScrubbedEvents);
  REQUIRE((*store)->close());
  FileContents files;
  read_folder(disk, "/store", files);
  return files;
}

StoreOptions options_with_background(FileSystem& disk) {
  StoreOptions options = sample_options(disk);
  options.compaction_bytes_per_second = 1ULL << 30;
  options.scrub_bytes_per_second = 1ULL << 30;
  return options;
}

/// Flips a bit in the middle of the file.
void damage(std::string& contents, std::size_t byte) { contents[byte] = static_cast<char>(contents[byte] ^ 16); }

}  // namespace

TEST_CASE("Scrubber.FindsNothingWrongInAWholeStore") {
  SimulatedFileSystem disk(2);
  write_files(disk, make_scrubbed_files());
  auto store = Store::open(options_with_background(disk));
  REQUIRE(store);
  wait_until([&] { return (*store)->health().scrub_passes > 0; });
  const StoreHealth health = (*store)->health();
  CHECK(health.warnings.empty());
  CHECK(health.scrubbed_bytes > 100'000);
}

TEST_CASE("Scrubber.MarksASealedSegmentWithAFlippedBitAnywhere") {
  const FileContents files = make_scrubbed_files();
  const std::string& segment = files.at("/store/log/0000000000000001.seg");
  for (std::size_t byte = 4096; byte < segment.size(); byte += 977) {
    CAPTURE(byte);
    SimulatedFileSystem disk(2);
    FileContents bad = files;
    damage(bad["/store/log/0000000000000001.seg"], byte);
    write_files(disk, bad);
    auto store = Store::open(options_with_background(disk));
    if (!store) continue;  // what opening reads of it: its first and last frame headers
    wait_until([&] { return (*store)->health().scrub_passes > 0; });
    const StoreHealth health = (*store)->health();
    CHECK(health.writable);
    const auto tells_of_it = [](const std::string& warning) { return warning.starts_with("segment 1 is damaged"); };
    CHECK(std::count_if(health.warnings.begin(), health.warnings.end(), tells_of_it) == 1);
  }
}

TEST_CASE("Scrubber.ADamagedRunIsFoundAndMadeAgainInTheBackground") {
  const FileContents files = make_scrubbed_files();
  for (const auto& [path, contents] : files) {
    if (!path.starts_with("/store/index/")) continue;
    CAPTURE(path);
    SimulatedFileSystem disk(2);
    FileContents bad = files;
    damage(bad[path], 4096 + 100);
    write_files(disk, bad);
    auto store = Store::open(options_with_background(disk));
    REQUIRE(store);
    wait_until([&] { return (*store)->health().scrub_passes > 0 && (*store)->health().warnings.empty(); });
    CHECK(check_sample(**store, kScrubbedEvents + 1).failed == 0);
    REQUIRE((*store)->close());
    store = Store::open(sample_options(disk));
    REQUIRE(store);
    CHECK(check_sample(**store, kScrubbedEvents + 1).failed == 0);
  }
}

TEST_CASE("IndexCompactor.RunsStayFewWhileRecordsGrow") {
  SimulatedFileSystem disk(3);
  auto store = Store::open(options_with_background(disk));
  REQUIRE(store);
  append_sample(**store, 5000);  // 312 parts, of which 5 size classes with at most 3 runs each remain
  wait_until([&] { return (*store)->health().index_runs <= 15 && (*store)->health().index_runs > 0; });
  CHECK(check_sample(**store, 5001).failed == 0);
}

TEST_CASE("IndexCompactor.AppendsThatTheIndexHasNoRoomForAreRefusedWholeAndTakenAgainLater") {
  SimulatedFileSystem disk(4);
  StoreOptions options = options_with_background(disk);
  auto store = Store::open(std::move(options));
  REQUIRE(store);
  append_sample(**store, 20);
  // Only the index creates files: the segment has room.
  disk.fail_with_probability(SimulatedCall::Open, 1, SimulatedFailure::DiskFull);
  std::uint64_t stored = 20;
  for (;; ++stored) {
    const AppendOutcome outcome = (*store)->append_and_wait(sample_proposal((*store)->durable_end().value()));
    if (outcome.kind == AppendOutcome::Kind::Stored) continue;
    CHECK(outcome.kind == AppendOutcome::Kind::DiskFull);
    break;
  }
  CHECK(stored + 1 >= 4 * 16);  // the genesis record is one of them
  CHECK(!(*store)->health().writable);
  CHECK(check_sample(**store, stored + 1).failed == 0);
  disk.stop_failing();
  wait_until([&] { return (*store)->health().writable; });
  append_sample(**store, 100);
  CHECK(check_sample(**store, stored + 101).failed == 0);
}
