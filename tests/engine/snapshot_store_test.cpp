// The snapshot store against a simple model, its promise about deletions, and what damage may cost.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "engine/snapshots/snapshot_store.h"
#include "tests/support/eventually.h"
#include "tests/support/one_thread.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/snapshot_ledger.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using stele::test::snapshot_sample_keys;
using stele::test::SnapshotLedger;
using stele::test::SteppedClock;
using stele::test::TempFolder;
using stele::tests::wait_until;

namespace {

const Uuid kSnapshotStoreId{{7, 7, 7}};
const std::string kSnapshotFolder = "/data/snapshots";

/// A store on a simulated disk, without a thread.
struct Bench {
  SimulatedFileSystem disk{1};
  SteppedClock clock;
  SnapshotStoreOptions options{.file_system = &disk,
                               .clock = &clock,
                               .folder = kSnapshotFolder,
                               .store_id = kSnapshotStoreId,
                               .settings = {.write_bytes_per_second = 0}};
  std::unique_ptr<SnapshotStore> store;

  Bench() { open(); }
  void open() {
    store.reset();
    auto opened = SnapshotStore::open(options);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().describe()));
    store = std::move(*opened);
  }
  void put(std::string_view aggregate, std::uint64_t sequence, const std::string& state,
           std::string_view name = "fold") {
    REQUIRE(store->put({aggregate, name}, SequenceNumber{sequence}, sha256({state}), state));
  }
  std::string get(std::string_view aggregate, std::uint64_t at_most = ~0ULL, std::string_view name = "fold") {
    const auto found = store->at_or_before({aggregate, name}, SequenceNumber{at_most});
    if (found) CHECK(found->fingerprint == sha256({found->state}));
    return found ? found->state : "none";
  }
  std::vector<std::string> files() {
    auto names = disk.list(kSnapshotFolder);
    REQUIRE(names);
    return *names;
  }
  void flip(const std::string& name, std::uint64_t byte, int bit = 0) {
    auto file = disk.open(kSnapshotFolder + "/" + name, OpenMode::ReadWrite);
    REQUIRE(file);
    char c = 0;
    REQUIRE((*file)->read_at(ByteOffset{byte}, {&c, 1}));
    c = static_cast<char>(c ^ (1 << bit));
    REQUIRE((*file)->write_at(ByteOffset{byte}, {&c, 1}));
  }
  bool on_disk(std::string_view text) {
    for (const std::string& name : files()) {
      if (disk.live_contents(kSnapshotFolder + "/" + name)->find(text) != std::string::npos) return true;
    }
    return false;
  }
};

/// Random calls, each answer compared with the ledger.
class RandomCalls {
 public:
  RandomCalls(std::uint64_t seed, SnapshotStoreOptions options) : random_(seed), options_(std::move(options)) {
    open();
  }

  void run(int calls) {
    const auto& keys = snapshot_sample_keys();
    for (int i = 0; i < calls; ++i) {
      const auto& key = keys[below(keys.size())];
      switch (below(40)) {
        case 0:
          store_->remove(key.first).value();
          ledger_.remove(key.first);
          break;
        case 1:
          store_->flush().value();
          break;
        case 2:
          if (below(4) == 0) store_->compact().value();
          break;
        case 3:
          if (below(4) == 0) open();
          break;
        default:
          below(3) == 0 ? check(key) : put(key);
      }
    }
    for (const auto& key : keys) check(key);
    open();
    for (const auto& key : keys) check(key);
    CHECK(store_->health().notes.empty());
    CHECK(store_->health().trouble.empty());
  }

 private:
  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_); }

  void open() {
    if (store_) REQUIRE(store_->close());
    store_.reset();
    auto opened = SnapshotStore::open(options_);
    REQUIRE(opened);
    store_ = std::move(*opened);
  }

  void put(const SnapshotLedger::Key& key) {
    const std::uint64_t sequence = 1 + below(60);
    const std::uint32_t keep = below(5) == 0 ? static_cast<std::uint32_t>(1 + below(kSnapshotKeepMax)) : 0;
    std::string state = std::to_string(++puts_) + std::string(below(below(20) == 0 ? 30'000 : 300), 's');
    if (below(20) == 0) state.clear();
    const Status put = store_->put({key.first, key.second}, SequenceNumber{sequence}, sha256({state}), state, keep);
    if (!put) {
      REQUIRE(put.error().kind == ErrorKind::Busy);
      return;
    }
    ledger_.put(key, sequence, state, keep == 0 ? options_.settings.keep : keep);
    ledger_.all_is_sure();
  }

  void check(const SnapshotLedger::Key& key) {
    const SnapshotKey asked{key.first, key.second};
    ledger_.check(key, ~0ULL, store_->latest(asked), SnapshotLedger::Expect::ExactlyThat);
    const std::uint64_t at_most = 1 + below(60);
    ledger_.check(key, at_most, store_->at_or_before(asked, SequenceNumber{at_most}),
                  SnapshotLedger::Expect::ExactlyThat);
  }

  std::mt19937_64 random_;
  const SnapshotStoreOptions options_;
  SnapshotLedger ledger_;
  std::unique_ptr<SnapshotStore> store_;
  std::uint64_t puts_ = 0;
};

}  // namespace

TEST_CASE("SnapshotStore.AnswersAsAModelDoes" * tests::one_thread()) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    SimulatedFileSystem disk(seed);
    SteppedClock clock;
    SnapshotStoreOptions options{.file_system = &disk,
                                 .clock = &clock,
                                 .folder = kSnapshotFolder,
                                 .store_id = kSnapshotStoreId,
                                 .settings = {.memory_bytes_max = 1000ULL << (seed % 7),
                                              .keep = 1 + static_cast<std::uint32_t>(seed % 3),
                                              .write_bytes_per_second = 0}};
    RandomCalls(seed, options).run(1500);
  }
}

TEST_CASE("SnapshotStore.AnswersAsAModelDoesWithItsThread") {
  for (std::uint64_t seed = 100; seed < 103; ++seed) {
    CAPTURE(seed);
    const TempFolder folder;
    SnapshotStoreOptions options{.file_system = &posix_file_system(),
                                 .clock = &system_clock(),
                                 .folder = folder.file("snapshots"),
                                 .store_id = kSnapshotStoreId,
                                 .settings = {.memory_bytes_max = 20'000,
                                              .memory_age_max = std::chrono::milliseconds(2),
                                              .write_bytes_per_second = 1ULL << 30}};
    RandomCalls(seed, options).run(1500);
  }
}

TEST_CASE("SnapshotStore.FindsTheNewestAtOrBefore") {
  Bench bench;
  CHECK(bench.get("a") == "none");
  bench.put("a", 10, "ten");
  bench.put("a", 20, "twenty");
  for (const bool flushed : {false, true}) {
    if (flushed) REQUIRE(bench.store->flush());
    CHECK(bench.get("a") == "twenty");
    CHECK(bench.get("a", 20) == "twenty");
    CHECK(bench.get("a", 19) == "ten");
    CHECK(bench.get("a", 10) == "ten");
    CHECK(bench.get("a", 9) == "none");
    CHECK(bench.get("a", 20, "other") == "none");
    CHECK(bench.get("b") == "none");
  }
  bench.put("a", 15, "fifteen");  // later put, but not newer
  CHECK(bench.get("a") == "twenty");
  CHECK(bench.get("a", 19) == "fifteen");
  bench.put("a", 20, "twenty again");
  CHECK(bench.get("a") == "twenty again");
  bench.clock.step(std::chrono::seconds(1));
  bench.put("a", 30, "thirty");
  CHECK(bench.store->latest({"a", "fold"})->time == bench.clock.now());
  bench.open();
  CHECK(bench.get("a") == "thirty");
  CHECK(bench.get("a", 25) == "twenty again");
  CHECK(bench.get("a", 19) == "none");  // superseded, though still on the disk
}

TEST_CASE("SnapshotStore.RefusesWhatItCannotKeep") {
  Bench bench;
  bench.options.settings.state_bytes_max = 100;
  bench.open();
  const auto put = [&](std::string_view id, std::string_view name, std::uint64_t sequence, std::size_t bytes,
                       std::uint32_t keep) {
    const Status status =
        bench.store->put({id, name}, SequenceNumber{sequence}, Digest{}, std::string(bytes, 'x'), keep);
    return status ? std::optional<ErrorKind>() : status.error().kind;
  };
  CHECK(put("a", "n", 1, 101, 0) == ErrorKind::TooLarge);
  CHECK(put("a", "n", 1, 100, 0) == std::nullopt);
  CHECK(put("", "n", 1, 1, 0) == ErrorKind::InvalidArgument);
  CHECK(put("a", "", 1, 1, 0) == ErrorKind::InvalidArgument);
  CHECK(put(std::string(256, 'a'), "n", 1, 1, 0) == ErrorKind::InvalidArgument);
  CHECK(put("a", std::string(256, 'n'), 1, 1, 0) == ErrorKind::InvalidArgument);
  CHECK(put("a", "n", 0, 1, 0) == ErrorKind::InvalidArgument);
  CHECK(put("a", "n", 1, 1, kSnapshotKeepMax + 1) == ErrorKind::InvalidArgument);
  CHECK(put(std::string(255, 'a'), std::string(255, 'n'), ~0ULL, 0, kSnapshotKeepMax) == std::nullopt);
  CHECK(bench.store->remove("").error().kind == ErrorKind::InvalidArgument);
  CHECK_FALSE(bench.store->latest({"", "n"}));
  REQUIRE(bench.store->close());
  CHECK(bench.store->close());
  CHECK(put("a", "n", 1, 1, 0) == ErrorKind::Closed);
  CHECK(bench.store->remove("a").error().kind == ErrorKind::Closed);
  CHECK(bench.store->flush().error().kind == ErrorKind::Closed);
  CHECK(bench.store->compact().error().kind == ErrorKind::Closed);
  CHECK(bench.store->latest({"a", "n"})->state == std::string(100, 'x'));
}

TEST_CASE("SnapshotStore.LargeStatesComeBackWhole") {
  Bench bench;
  std::string state(5'000'001, '\0');
  for (std::size_t i = 0; i < state.size(); ++i) state[i] = static_cast<char>(i * 2654435761U >> 24);
  bench.put("a", 1, state);
  bench.put("b", 1, "small");
  bench.put("a", 2, state + "2");
  REQUIRE(bench.store->flush());
  CHECK((bench.get("a", 1) == state));
  REQUIRE(bench.store->compact());
  bench.open();
  CHECK((bench.get("a") == state + "2"));
  CHECK((bench.get("a", 1) == state));
  CHECK(bench.get("b") == "small");
}

TEST_CASE("SnapshotStore.MemoryIsWrittenWhenItIsFullOrOld") {
  Bench bench;
  bench.options.settings.memory_bytes_max = 10'000;
  bench.open();
  bench.put("a", 1, "state");
  CHECK(bench.files().empty());
  CHECK(bench.store->health().memory_bytes > 0);
  bench.clock.step(bench.options.settings.memory_age_max);
  bench.put("b", 1, "state");
  CHECK(bench.files().size() == 1);
  CHECK(bench.store->health().memory_bytes == 0);
  bench.put("c", 1, std::string(20'000, 'c'));
  CHECK(bench.files().size() == 2);
  bench.put("d", 1, "state");
  REQUIRE(bench.store->close());
  CHECK(bench.files().size() == 3);
}

TEST_CASE("SnapshotStore.ItsThreadWritesWhatIsOld") {
  const TempFolder folder;
  SnapshotStoreOptions options{.file_system = &posix_file_system(),
                               .clock = &system_clock(),
                               .folder = folder.file("snapshots"),
                               .store_id = kSnapshotStoreId,
                               .settings = {.memory_age_max = std::chrono::milliseconds(5)}};
  auto store = SnapshotStore::open(options);
  REQUIRE(store);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    REQUIRE((*store)->put({"a", "fold"}, SequenceNumber{round}, Digest{}, "state"));
    wait_until([&] { return (*store)->health().memory_bytes == 0; });
    CHECK((*store)->health().files == round);
  }
}

TEST_CASE("SnapshotStore.KeepsFewFilesAndLetsSupersededStatesGo") {
  Bench bench;
  const std::string filler(1000, 'f');
  for (std::uint64_t i = 1; i <= 600; ++i) {
    bench.put("aggregate " + std::to_string(i % 10), i, "state " + std::to_string(i) + "." + filler);
    REQUIRE(bench.store->flush());
  }
  CHECK(bench.files().size() <= 12);
  CHECK(bench.store->health().files == bench.files().size());
  // 20 states are kept, of 600.
  CHECK(bench.disk.used_bytes() < 400'000);
  for (std::uint64_t i = 581; i <= 600; ++i) {
    CHECK(bench.get("aggregate " + std::to_string(i % 10), i) == "state " + std::to_string(i) + "." + filler);
  }
  REQUIRE(bench.store->compact());
  CHECK(bench.files().size() == 1);
  CHECK(bench.on_disk("state 581."));
  CHECK_FALSE(bench.on_disk("state 580."));
}

TEST_CASE("SnapshotStore.PutSaysHowManyAreKept") {
  Bench bench;
  for (std::uint64_t i = 1; i <= 9; ++i) {
    REQUIRE(bench.store->put({"many", "fold"}, SequenceNumber{i}, sha256({"state"}), "state", 5));
    REQUIRE(bench.store->put({"one", "fold"}, SequenceNumber{i}, sha256({"state"}), "state", 1));
    REQUIRE(bench.store->flush());
  }
  REQUIRE(bench.store->compact());
  CHECK(bench.get("many", 5) == "state");
  CHECK(bench.get("many", 4) == "none");
  CHECK(bench.get("one", 9) == "state");
  CHECK(bench.get("one", 8) == "none");
}

TEST_CASE("SnapshotStore.AReplacedStateDoesNotComeBackWhenItsSuccessorIsSuperseded") {
  Bench bench;
  bench.put("a", 5, "replaced");
  REQUIRE(bench.store->flush());
  bench.put("a", 5, "replacement");
  bench.put("a", 6, "six");
  bench.put("a", 7, "seven");  // the replacement goes
  for (int i = 0; i < 2; ++i) {
    CHECK(bench.get("a", 6) == "six");
    CHECK(bench.get("a", 5) == "none");
    REQUIRE(bench.store->flush());
  }
}

TEST_CASE("SnapshotStore.WhatWasDeletedIsGoneAndTheRestStays") {
  Bench bench;
  bench.put("a", 1, "in a file");
  bench.put("a", 1, "of another name", "other");
  bench.put("ab", 1, "of another aggregate");
  REQUIRE(bench.store->flush());
  bench.put("a", 2, "in memory");
  REQUIRE(bench.store->remove("a"));
  const auto check_gone = [&] {
    CHECK(bench.get("a", 1) == "none");
    CHECK(bench.get("a", 1, "other") == "none");
    CHECK(bench.get("ab") == "of another aggregate");
  };
  CHECK(bench.get("a") == "none");
  check_gone();
  bench.put("a", 2, "put later");
  CHECK(bench.get("a") == "put later");
  check_gone();
  REQUIRE(bench.store->flush());
  bench.open();
  CHECK(bench.get("a") == "put later");
  check_gone();
  CHECK(bench.on_disk("in a file"));
  CHECK_FALSE(bench.on_disk("in memory"));
  REQUIRE(bench.store->compact());
  CHECK(bench.files() == std::vector<std::string>{"0000000000000001-0000000000000003.snap"});
  CHECK_FALSE(bench.on_disk("in a file"));
  CHECK(bench.get("a") == "put later");
  check_gone();
}

TEST_CASE("SnapshotStore.APurgeLeavesNoBytesOfItsAggregates") {
  Bench bench;
  bench.put("a", 1, "state a1");
  bench.put("b", 1, "state b1");
  bench.put("c", 1, "state c1");
  REQUIRE(bench.store->flush());
  bench.put("a", 2, "state a2", "other");
  REQUIRE(bench.store->flush());
  bench.put("b", 2, "state b2");
  const std::vector<std::string> ids{"b", "a", "b", "none"};
  REQUIRE(bench.store->purge(ids));
  for (int opened = 0; opened < 2; ++opened) {
    for (const char* gone : {"state a1", "state a2", "state b1", "state b2"}) CHECK_FALSE(bench.on_disk(gone));
    CHECK(bench.get("a") == "none");
    CHECK(bench.get("a", 2, "other") == "none");
    CHECK(bench.get("b") == "none");
    CHECK(bench.get("c") == "state c1");
    REQUIRE(bench.store->flush());
    bench.open();
  }
  bench.put("a", 3, "state a3");
  CHECK(bench.get("a") == "state a3");
  CHECK(bench.store->purge(std::vector<std::string>{}).has_value());
  const auto refused = bench.store->purge(std::vector<std::string>{""});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::InvalidArgument);
}

TEST_CASE("SnapshotStore.ADeletionIsDurableOnReturn") {
  for (const bool power : {true, false}) {
    Bench bench;
    bench.put("a", 1, "state");
    REQUIRE(bench.store->flush());
    REQUIRE(bench.store->remove("a"));
    bench.disk.cut_power();
    bench.store.reset();
    power ? bench.disk.crash() : bench.disk.kill();
    bench.open();
    CHECK(bench.get("a") == "none");
  }
}

TEST_CASE("SnapshotStore.ADeletionThatIsMergedWithNewerFilesOnlyStillHoldsForOlderOnes") {
  Bench bench;
  bench.put("a", 1, "state" + std::string(200'000, 's'));  // a tier of its own
  REQUIRE(bench.store->flush());
  REQUIRE(bench.store->remove("a"));
  for (int i = 1; i <= 3; ++i) REQUIRE(bench.store->remove("other"));
  CHECK(bench.files() == std::vector<std::string>{"0000000000000001-0000000000000001.snap",
                                                  "0000000000000002-0000000000000005.del.snap"});
  CHECK(bench.get("a") == "none");
  bench.open();
  CHECK(bench.get("a") == "none");
}

TEST_CASE("SnapshotStore.UnwantedNamesGoWithTheNextMerge") {
  Bench bench;
  bench.options.settings.unwanted = [](std::string_view name) { return name == "old"; };
  bench.open();
  bench.put("a", 1, "of the old", "old");
  bench.put("a", 1, "of the new", "new");
  REQUIRE(bench.store->flush());
  CHECK(bench.get("a", 1, "old") == "of the old");
  REQUIRE(bench.store->compact());
  CHECK(bench.get("a", 1, "old") == "none");
  CHECK(bench.get("a", 1, "new") == "of the new");
}

TEST_CASE("SnapshotStore.AFullDiskCostsStatesAndHealsItself") {
  Bench bench;
  bench.options.settings.memory_bytes_max = 10'000;
  bench.open();
  bench.put("a", 1, "before");
  REQUIRE(bench.store->flush());
  bench.disk.set_capacity(bench.disk.used_bytes());
  bench.put("a", 2, "while");
  CHECK(bench.store->flush().error().kind == ErrorKind::DiskFull);
  CHECK(bench.store->health().trouble.find("disk full") == 0);
  CHECK(bench.get("a") == "while");
  Status status;
  for (std::uint64_t i = 3; status; ++i) {
    REQUIRE(i < 100);
    const std::string state(1000, 'x');
    status = bench.store->put({"a" + std::to_string(i), "fold"}, SequenceNumber{i}, sha256({state}), state);
  }
  CHECK(status.error().kind == ErrorKind::Busy);
  CHECK(bench.store->health().refused == 1);
  CHECK(bench.store->health().memory_bytes < 25'000);
  CHECK(bench.store->remove("a").error().kind == ErrorKind::DiskFull);
  CHECK(bench.files().size() == 1);  // nothing half-written takes up space
  bench.disk.set_capacity(std::nullopt);
  REQUIRE(bench.store->remove("a"));
  bench.put("b", 1, "after");
  CHECK(bench.store->health().trouble.empty());
  CHECK(bench.get("a") == "none");
  CHECK(bench.get("b") == "after");
  CHECK(bench.get("a3").size() == 1000);
}

TEST_CASE("SnapshotStore.AnOpenThatCannotListTheFolderFails") {
  for (const SimulatedCall call : {SimulatedCall::CreateFolders, SimulatedCall::Lookup}) {
    Bench bench;
    bench.store.reset();
    bench.disk.fail_call(call, 1, SimulatedFailure::Io);
    CHECK(SnapshotStore::open(bench.options).error().kind == ErrorKind::Io);
    bench.open();
  }
}

TEST_CASE("SnapshotStore.ALostFolderCostsItsSnapshotsOnly") {
  Bench bench;
  bench.put("a", 1, "state");
  REQUIRE(bench.store->flush());
  for (const std::string& name : bench.files()) REQUIRE(bench.disk.remove(kSnapshotFolder + "/" + name));
  bench.open();
  CHECK(bench.get("a") == "none");
  bench.put("a", 1, "again");
  bench.open();
  CHECK(bench.get("a") == "again");
}

// Files 1: states of a and b · 2: deletes b · 3: states of c.
struct Damaged : Bench {
  Damaged() {
    put("a", 1, "a's");
    put("b", 1, "b's");
    REQUIRE(store->flush());
    REQUIRE(store->remove("b"));
    put("c", 1, "c's");
    REQUIRE(store->flush());
    REQUIRE(files().size() == 3);
  }
  std::string file(int number) { return files()[static_cast<std::size_t>(number - 1)]; }
  std::string all() { return get("a") + " " + get("b") + " " + get("c"); }
};

TEST_CASE("SnapshotStore.ADamagedFileCostsItsOwnStates") {
  for (const std::uint64_t byte : {0, 20, 4096}) {
    CAPTURE(byte);
    Damaged bench;
    bench.flip(bench.file(3), byte);
    bench.open();
    CHECK(bench.all() == "a's none none");
    CHECK(bench.store->health().damaged_files == 1);
    CHECK(bench.store->health().notes.size() == 1);
    bench.put("c", 2, "new");
    CHECK(bench.all() == "a's none new");
    REQUIRE(bench.store->compact());
    CHECK(bench.files().size() == 1);
    bench.open();
    CHECK(bench.all() == "a's none new");
    CHECK(bench.store->health().notes.empty());
  }
}

TEST_CASE("SnapshotStore.AFileWhoseDeletionsCannotBeReadTakesOlderFilesWithIt") {
  for (const std::uint64_t byte : {0, 20, 4096, 8192}) {
    CAPTURE(byte);
    Damaged bench;
    bench.flip(bench.file(2), byte);
    for (int opens = 0; opens < 2; ++opens) {
      bench.open();
      CHECK(bench.get("b") == "none");
      CHECK(bench.get("c") == "c's");
    }
    // Each further file merges what must not be used away first.
    bench.put("d", 1, "d's");
    REQUIRE(bench.store->flush());
    CHECK(bench.files().front() == "0000000000000001-0000000000000002.snap");
    CHECK(bench.all() == "none none c's");
    bench.open();
    CHECK(bench.all() == "none none c's");
    CHECK(bench.get("d") == "d's");
    CHECK(bench.store->health().notes.empty());
  }
}

TEST_CASE("SnapshotStore.AMissingFileTakesOlderFilesWithIt") {
  Damaged bench;
  REQUIRE(bench.disk.remove(kSnapshotFolder + "/" + bench.file(2)));
  bench.open();
  CHECK(bench.all() == "none none c's");
  CHECK(bench.store->health().damaged_files == 1);
  CHECK(bench.files().size() == 1);
  bench.put("a", 2, "new");
  bench.open();
  CHECK(bench.all() == "new none c's");
}

TEST_CASE("SnapshotStore.FilesOfOtherStoresAndOtherNamesAreNotTouched") {
  Damaged bench;
  bench.store.reset();
  REQUIRE(bench.disk.rename(kSnapshotFolder + "/" + bench.file(3),
                            kSnapshotFolder + "/0000000000000003-0000000000000004.snap"));
  auto stray = bench.disk.open(kSnapshotFolder + "/notes.txt", OpenMode::CreateNew);
  REQUIRE(stray);
  bench.open();
  CHECK(bench.all() == "a's none none");  // misnamed
  CHECK(bench.files().size() == 4);
  bench.options.store_id = Uuid{{8}};
  bench.open();
  CHECK(bench.all() == "none none none");
  REQUIRE(bench.store->compact());
  CHECK(bench.files() == std::vector<std::string>{"0000000000000001-0000000000000004.snap", "notes.txt"});
}

TEST_CASE("SnapshotStore.AFlippedBitAnywhereCostsStatesButNeverShowsAWrongOne" * tests::one_thread()) {
  Bench bench;
  bench.put("deleted", 1, "what was deleted");
  bench.put("filler", 1, std::string(200'000, 'f'));  // keeps the merge below away from this file
  REQUIRE(bench.store->flush());
  REQUIRE(bench.store->remove("deleted"));
  for (int i = 1; i <= 3; ++i) {
    bench.put("a" + std::to_string(i), 1, "state " + std::to_string(i), "fold");
    bench.put("a" + std::to_string(i), 2, "later state " + std::to_string(i), "fold");
  }
  REQUIRE(bench.store->flush());
  for (int i = 0; i < 2; ++i) REQUIRE(bench.store->remove("nothing"));
  bench.put("last", 1, "last");
  REQUIRE(bench.store->flush());
  bench.store.reset();
  // States with a deleted one; deletions and states; states.
  const std::vector<std::string> names = bench.files();
  REQUIRE(names.size() == 3);
  std::uint64_t lost = 0, flips = 0;
  for (const std::string& name : names) {
    const std::size_t bytes = bench.disk.live_contents(kSnapshotFolder + "/" + name)->size();
    for (std::size_t byte = 0; byte<bytes; byte += bytes> 100'000 ? 997 : 1) {
      // Opening and reading change nothing on the disk, so that flipping the bit back makes it good again.
      bench.flip(name, byte, static_cast<int>(byte % 8));
      bench.open();
      ++flips;
      REQUIRE(bench.get("deleted") == "none");
      for (int i = 1; i <= 3; ++i) {
        const std::string later = bench.get("a" + std::to_string(i));
        const std::string earlier = bench.get("a" + std::to_string(i), 1);
        const bool right = (later == "later state " + std::to_string(i) || later == "none") &&
                           (earlier == "state " + std::to_string(i) || earlier == "none");
        REQUIRE_MESSAGE(right, name << " byte " << byte);
        lost += later == "none" ? 1 : 0;
      }
      REQUIRE(bench.get("deleted") == "none");
      bench.store.reset();
      bench.flip(name, byte, static_cast<int>(byte % 8));
    }
  }
  CHECK(lost > 0);
  CHECK(lost < 3 * flips);
  CHECK(bench.files() == names);
}

TEST_CASE("SnapshotStore.ReadersBesideWritersSeeWholeStatesAndNoDeletedOnes") {
  const TempFolder folder;
  SnapshotStoreOptions options{.file_system = &posix_file_system(),
                               .clock = &system_clock(),
                               .folder = folder.file("snapshots"),
                               .store_id = kSnapshotStoreId,
                               .settings = {.memory_bytes_max = 20'000,
                                            .memory_age_max = std::chrono::milliseconds(1),
                                            .write_bytes_per_second = 1ULL << 30}};
  auto store = SnapshotStore::open(options);
  REQUIRE(store);
  constexpr int kAggregates = 4;
  std::array<std::atomic<std::uint64_t>, kAggregates> deleted_to{};  // greatest sequence number that was surely deleted
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> found{0}, wrong{0};
  const auto state_of = [](int aggregate, std::uint64_t sequence) {
    return std::to_string(aggregate) + ":" + std::to_string(sequence) + std::string(sequence % 700, 'x');
  };
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      std::mt19937_64 random(static_cast<std::uint64_t>(r));
      while (!stop) {
        const int aggregate = static_cast<int>(random() % kAggregates);
        const std::string id = std::to_string(aggregate);
        const std::uint64_t gone = deleted_to[static_cast<std::size_t>(aggregate)];
        const auto got = random() % 2 == 0 ? (*store)->latest({id, "fold"})
                                           : (*store)->at_or_before({id, "fold"}, SequenceNumber{gone + 5});
        if (!got) continue;
        ++found;
        const std::uint64_t sequence = got->sequence.value();
        if (sequence <= gone || got->state != state_of(aggregate, sequence) || got->fingerprint != sha256({got->state}))
          ++wrong;
      }
    });
  }
  std::thread compacter([&] {
    while (!stop) {
      if (!(*store)->compact()) ++wrong;
      std::this_thread::yield();
    }
  });
  std::mt19937_64 random(9);
  std::uint64_t sequence = 0;
  for (int i = 0; i < 6000; ++i) {
    const int aggregate = static_cast<int>(random() % kAggregates);
    const std::string id = std::to_string(aggregate);
    if (random() % 60 == 0) {
      const std::uint64_t to = sequence;
      REQUIRE((*store)->remove(id));
      deleted_to[static_cast<std::size_t>(aggregate)] = to;
    } else {
      const std::string state = state_of(aggregate, ++sequence);
      const Status put = (*store)->put({id, "fold"}, SequenceNumber{sequence}, sha256({state}), state);
      const bool expected = put || put.error().kind == ErrorKind::Busy;
      REQUIRE(expected);
    }
  }
  wait_until([&] { return found > 0; });
  stop = true;
  for (auto& reader : readers) reader.join();
  compacter.join();
  CHECK(wrong == 0);
  CHECK((*store)->health().notes.empty());
  REQUIRE((*store)->close());
}
