// How a store opens with the index runs that it finds, or does not find.

#include <doctest/doctest.h>

#include "engine/audit/merkle_frontier.h"
#include "engine/store/store.h"
#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::test;

namespace {

constexpr std::uint64_t kEvents = 900;

/// A closed store with kEvents events, several segments and runs of several sizes.
FileContents make_files() {
  SimulatedFileSystem disk(1);
  {
    auto store = Store::open(sample_options(disk));
    REQUIRE(store);
    append_sample(**store, kEvents);
    REQUIRE((*store)->close());
  }
  FileContents files;
  read_folder(disk, "/store", files);
  return files;
}

std::vector<std::string> runs_of(const FileContents& files) {
  std::vector<std::string> runs;
  for (const auto& [path, contents] : files) {
    if (path.starts_with("/store/index/")) runs.push_back(path);
  }
  return runs;
}

/// The tree over all stored records, hashed anew.
Digest root_of(const Store& store) {
  MerkleFrontier tree;
  Record record;
  const auto view = store.view();
  for (Position p{0}; p < view->end(); p = p.next()) {
    REQUIRE(view->read(p, record));
    tree.append(record.leaf());
  }
  return tree.root();
}

/// Opens a store with these files; everything must be right. Gives its recovery report.
RecoveryReport open_and_check(const FileContents& files) {
  SimulatedFileSystem disk(2);
  write_files(disk, files);
  RecoveryReport report;
  {
    auto store = Store::open(sample_options(disk));
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    CHECK(check_sample(**store, kEvents + 1).failed == 0);
    CHECK((*store)->head().root == root_of(**store));
    report = (*store)->recovery();
    append_sample(**store, 100);
    CHECK(check_sample(**store, kEvents + 101).failed == 0);
    CHECK((*store)->head().root == root_of(**store));
  }
  auto store = Store::open(sample_options(disk));
  REQUIRE(store);
  CHECK((*store)->head().root == root_of(**store));
  CHECK(check_sample(**store, kEvents + 101).failed == 0);
  return report;
}

}  // namespace

TEST_CASE("IndexRecovery.OpeningReplaysOnlyWhatNoRunHolds") {
  const FileContents files = make_files();
  const auto runs = runs_of(files);
  REQUIRE(runs.size() >= 3);
  const RecoveryReport report = open_and_check(files);
  CHECK(report.index_runs == runs.size());
  CHECK(report.replayed < 16);
  CHECK(report.records == kEvents + 1);
  CHECK(report.segments > 2);
}

TEST_CASE("IndexRecovery.WithoutRunsTheIndexIsMadeAgainAndReported") {
  FileContents files = make_files();
  for (const std::string& run : runs_of(files)) files.erase(run);
  SimulatedFileSystem disk(2);
  write_files(disk, files);
  StoreOptions options = sample_options(disk);
  std::vector<std::uint64_t> progress;
  options.on_replay = [&](std::uint64_t records, std::uint64_t expected) {
    progress.push_back(records);
    CHECK(expected == kEvents + 1);
  };
  auto store = Store::open(std::move(options));
  REQUIRE(store);
  CHECK((*store)->recovery().replayed == kEvents + 1);
  CHECK(progress.size() > 10);
  CHECK(std::is_sorted(progress.begin(), progress.end()));
  CHECK(check_sample(**store, kEvents + 1).failed == 0);
}

TEST_CASE("IndexRecovery.AnyMissingRunIsMadeAgain") {
  const FileContents files = make_files();
  for (const std::string& run : runs_of(files)) {
    CAPTURE(run);
    FileContents without = files;
    without.erase(run);
    open_and_check(without);
  }
}

TEST_CASE("IndexRecovery.ARunThatIsCutOrEmptyIsMadeAgain") {
  const FileContents files = make_files();
  for (const std::string& run : runs_of(files)) {
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{4096}, files.at(run).size() / 2, files.at(run).size() - 1}) {
      CAPTURE(run);
      CAPTURE(length);
      FileContents cut = files;
      cut[run].resize(length);
      CHECK(open_and_check(cut).notes.size() == 1);
    }
  }
}

TEST_CASE("IndexRecovery.LeftoversOfAMergeAreRemoved") {
  FileContents files = make_files();
  const auto runs = runs_of(files);
  files["/store/index/0000000000000000-0000000000000004.run.unfinished"] = "half a run";
  files["/store/index/0000000000000001-0000000000000005.run"] = files[runs.front()];
  SimulatedFileSystem disk(2);
  write_files(disk, files);
  auto store = Store::open(sample_options(disk));
  REQUIRE(store);
  CHECK(check_sample(**store, kEvents + 1).failed == 0);
  FileContents after;
  read_folder(disk, "/store", after);
  CHECK(runs_of(after) == runs);
}

TEST_CASE("IndexRecovery.ALogThatIsShorterThanItsIndexIsRefused") {
  // An older copy of log/ under a newer index/: what was acknowledged in between would be gone without a word.
  SimulatedFileSystem disk(1);
  FileContents older;
  {
    auto store = Store::open(sample_options(disk));
    REQUIRE(store);
    append_sample(**store, 100);
    REQUIRE((*store)->close());
    store->reset();
    read_folder(disk, "/store/log", older);
    store = Store::open(sample_options(disk));
    append_sample(**store, kEvents - 100);
    REQUIRE((*store)->close());
  }
  FileContents files;
  read_folder(disk, "/store", files);
  std::erase_if(files, [](const auto& file) { return file.first.starts_with("/store/log/"); });
  files.erase("/store/state");
  files.insert(older.begin(), older.end());
  for (int i = 0; i < 2; ++i) {
    SimulatedFileSystem broken(3);
    write_files(broken, files);
    const auto refused = Store::open(sample_options(broken));
    REQUIRE(!refused);
    CHECK(refused.error().kind == ErrorKind::Corrupt);
    CHECK(refused.error().message.starts_with("durable-records-missing"));
    files.clear();
    read_folder(broken, "/store", files);
  }
  std::erase_if(files, [](const auto& file) { return file.first.starts_with("/store/index/"); });
  SimulatedFileSystem restored(4);
  write_files(restored, files);
  auto store = Store::open(sample_options(restored));
  REQUIRE(store);
  CHECK(check_sample(**store, 101).failed == 0);
}

TEST_CASE("IndexRecovery.ADamagedPageIsAnErrorUntilTheRunIsMadeAgain") {
  const FileContents files = make_files();
  std::uint64_t damaged = 0;
  for (const std::string& run : runs_of(files)) {
    for (std::size_t page = 4096; page + 17 < files.at(run).size(); page += 4096) {
      FileContents bad = files;
      bad[run][page + 17] = static_cast<char>(bad[run][page + 17] ^ 4);
      SimulatedFileSystem disk(2);
      write_files(disk, bad);
      auto store = Store::open(sample_options(disk));
      REQUIRE(store);
      const SampleCheck before = check_sample(**store, kEvents + 1);
      if (before.failed == 0) continue;
      ++damaged;
      const StoreHealth health = (*store)->health();
      REQUIRE(health.warnings.size() == 1);
      CHECK(health.warnings[0].find(run) != std::string::npos);
      // An append that needs the run is refused, and has it made again.
      Proposal proposal;
      RecordDraft& draft = proposal.events.emplace_back();
      draft.event_id.bytes.fill(0xEE);
      draft.aggregate_id = "new";
      draft.event_type = "Common";
      draft.seal();
      const Proposal again = proposal;
      AppendOutcome outcome = (*store)->append_and_wait(std::move(proposal));
      if (outcome.kind == AppendOutcome::Kind::ReadFailed) outcome = (*store)->append_and_wait(again);
      REQUIRE(outcome.kind == AppendOutcome::Kind::Stored);
    }
  }
  CHECK(damaged > 20);
}
