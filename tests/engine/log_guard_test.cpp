// What a store does about a folder that somebody takes away under it.

#include "engine/log/log_guard.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "engine/log/log_folder.h"
#include "tests/support/eventually.h"
#include "tests/support/forwarding_file_system.h"
#include "tests/support/sample_store.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::test;
using stele::tests::wait_until;
using Kind = AppendOutcome::Kind;
namespace fs = std::filesystem;

namespace {

constexpr const char* kSegment = "/store/log/0000000000000001.seg";

/// A folder with a lock and a segment, and their guard.
struct Guarded {
  TempFolder temp;
  const std::string folder = temp.file("data");
  const std::string segment = temp.file("data/log/1.seg");
  std::unique_ptr<FolderLock> lock;
  std::unique_ptr<File> file;
  std::unique_ptr<LogGuard> guard;

  explicit Guarded(FileSystem& files = posix_file_system()) {
    REQUIRE(files.create_folders(folder + "/log"));
    lock = files.lock(folder + "/lock").value();
    file = files.open(segment, OpenMode::CreateNew).value();
    guard = std::make_unique<LogGuard>(files, folder, folder + "/lock", lock->held());
    guard->watch_segment(segment, file->about().value());
    REQUIRE(guard->look());
  }

  /// That the guard names the thing and does not forget it.
  void check_displaced(const std::string& what) {
    for (int repeat = 0; repeat < 2; ++repeat) {
      const Status seen = guard->look();
      REQUIRE_FALSE(seen);
      CHECK(seen.error().kind == ErrorKind::Displaced);
      CHECK_MESSAGE(seen.error().message.find(what) != std::string::npos, seen.error().message);
    }
  }
};

void check_stopped(Store& store, const std::string& reason) {
  const StoreHealth health = store.health();
  CHECK_FALSE(health.writable);
  CHECK_MESSAGE(health.reason.find(reason) != std::string::npos, health.reason);
  CHECK(store.metrics().poisoned);
  CHECK(store.append_and_wait(sample_proposal(store.durable_end().value())).kind == Kind::Unavailable);
}

}  // namespace

TEST_CASE("LogGuard.SeesWhatPathsNameNow") {
  Guarded guarded;
  const std::string& folder = guarded.folder;
  SUBCASE("the content is none of its business") {
    REQUIRE(guarded.file->write_at(ByteOffset{0}, "abc"));
    std::ofstream(folder + "/lock") << "4711\n";
    CHECK(guarded.guard->look());
  }
  SUBCASE("a lock file that was removed") {
    fs::remove(folder + "/lock");
    guarded.check_displaced("the lock file was removed");
  }
  SUBCASE("and made anew") {
    fs::rename(folder + "/lock", folder + "/old");
    std::ofstream(folder + "/lock") << "";
    guarded.check_displaced("the lock file was replaced");
  }
  SUBCASE("a folder that was moved away") {
    fs::rename(folder, guarded.temp.file("elsewhere"));
    guarded.check_displaced("the data folder was removed or moved away");
    fs::rename(guarded.temp.file("elsewhere"), folder);
    guarded.check_displaced("the data folder");  // whatever happened meanwhile
  }
  SUBCASE("another one in its place") {
    fs::rename(folder, guarded.temp.file("elsewhere"));
    fs::copy(guarded.temp.file("elsewhere"), folder, fs::copy_options::recursive);
    guarded.check_displaced("the data folder was replaced");
  }
  SUBCASE("a parent that is a file now") {
    fs::rename(folder, guarded.temp.file("elsewhere"));
    std::ofstream(folder) << "";
    guarded.check_displaced("the data folder was replaced");
  }
  SUBCASE("a link that points elsewhere") {
    fs::rename(folder, guarded.temp.file("first"));
    fs::create_directory_symlink(guarded.temp.file("first"), folder);
    CHECK(guarded.guard->look());
    fs::copy(guarded.temp.file("first"), guarded.temp.file("second"), fs::copy_options::recursive);
    fs::remove(folder);
    fs::create_directory_symlink(guarded.temp.file("second"), folder);
    guarded.check_displaced("the data folder was replaced");
  }
  SUBCASE("a segment that was moved, with its log folder") {
    fs::rename(folder + "/log", folder + "/log.old");
    guarded.check_displaced("the active segment was removed or moved away");
  }
  SUBCASE("a segment that was restored") {
    fs::copy_file(guarded.segment, folder + "/copy");
    fs::rename(folder + "/copy", guarded.segment);
    guarded.check_displaced("the active segment was replaced");
  }
  SUBCASE("but not one that is no longer active") {
    const auto next = posix_file_system().open(folder + "/log/2.seg", OpenMode::CreateNew).value();
    guarded.guard->watch_segment(folder + "/log/2.seg", next->about().value());
    fs::remove(guarded.segment);
    CHECK(guarded.guard->look());
  }
}

namespace {

/// Does something once, after a look at this path.
class ActingAfterLook final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  [[nodiscard]] Result<FileInfo> look_at(const std::string& path) override {
    auto seen = ForwardingFileSystem::look_at(path);
    if (path == path_) {
      path_.clear();
      act_();
    }
    return seen;
  }
  void after(const std::string& path, std::function<void()> act) {
    path_ = path;
    act_ = std::move(act);
  }

 private:
  std::string path_;
  std::function<void()> act_;
};

}  // namespace

TEST_CASE("LogGuard.AFolderThatGoesWhileItIsLookedAtIsWhatIsTold") {
  ActingAfterLook files(posix_file_system());
  Guarded guarded(files);
  std::string last_seen;
  SUBCASE("folder") { last_seen = guarded.folder; }
  SUBCASE("lock file") { last_seen = guarded.folder + "/lock"; }
  files.after(last_seen, [&] { fs::rename(guarded.folder, guarded.temp.file("elsewhere")); });
  guarded.check_displaced("the data folder was removed or moved away");
}

TEST_CASE("LogGuard.ALookThatFailsIsNoDisplacement") {
  SimulatedFileSystem disk(1);
  REQUIRE(disk.create_folders("/store"));
  const auto lock = disk.lock("/store/lock").value();
  LogGuard guard(disk, "/store", "/store/lock", lock->held());
  disk.fail_call(SimulatedCall::Lookup, 1, SimulatedFailure::Io);
  CHECK(guard.look().error().kind == ErrorKind::Io);
  CHECK(guard.look());
}

TEST_CASE("Store.AnActiveSegmentThatIsGoneOrCutStopsAppendsBeforeTheAnswer") {
  struct Deed {
    const char* reason;
    std::function<void(SimulatedFileSystem&)> act;
  };
  const auto resize = [](SimulatedFileSystem& disk, std::uint64_t bytes) {
    REQUIRE(disk.open(kSegment, OpenMode::ReadWrite).value()->truncate(bytes));
  };
  const Deed deeds[] = {
      {"removed or replaced", [](SimulatedFileSystem& disk) { REQUIRE(disk.remove(kSegment)); }},
      {"removed or replaced",
       [](SimulatedFileSystem& disk) {
         REQUIRE(disk.open("/store/log/other", OpenMode::CreateNew));
         REQUIRE(disk.rename("/store/log/other", kSegment));
       }},
      {"cut off", [&](SimulatedFileSystem& disk) { resize(disk, 8192); }},
      {"extended", [&](SimulatedFileSystem& disk) { resize(disk, 1 << 20); }},
  };
  for (const Deed& deed : deeds) {
    for (const std::uint64_t overlap_records_min : {1, 1000}) {  // on a thread of its own, and at once
      CAPTURE(deed.reason);
      CAPTURE(overlap_records_min);
      SimulatedFileSystem disk(1);
      StoreOptions options = sample_options(disk);
      options.overlap_records_min = overlap_records_min;
      auto store = Store::open(options).value();
      append_sample(*store, 3);
      deed.act(disk);
      const Position end = store->durable_end();
      CHECK(store->append_and_wait(sample_proposal(4)).kind == Kind::OutcomeUnknown);
      CHECK(store->durable_end() == end);
      check_stopped(*store, deed.reason);
      CHECK(store->health().reason.find("restart the server") != std::string::npos);
      CHECK(store->close());
    }
  }
}

TEST_CASE("Store.AnOpenFileThatCannotBeLookedAtLeavesTheOutcomeUnknown") {
  SimulatedFileSystem disk(1);
  auto store = Store::open(sample_options(disk)).value();
  append_sample(*store, 3);
  disk.fail_call(SimulatedCall::Lookup, 1, SimulatedFailure::Io);
  CHECK(store->append_and_wait(sample_proposal(4)).kind == Kind::OutcomeUnknown);
  check_stopped(*store, "a write of the log failed");
}

TEST_CASE("Store.NoSegmentIsBegunInAFolderThatWasReplaced") {
  const TempFolder temp;
  StoreOptions options = sample_options(posix_file_system());
  options.folder = temp.file("data");
  options.index_part_records_max = 1U << 20;
  SUBCASE("made when it is needed") { options.fill_bytes_per_second = 0; }
  SUBCASE("made ahead") { options.fill_bytes_per_second = 1ULL << 30; }
  auto store = Store::open(options).value();
  append_sample(*store, 3);
  fs::rename(temp.file("data"), temp.file("gone"));
  // Another store's folder, whose next segment has the name that this one's would have.
  REQUIRE(posix_file_system().create_folders(temp.file("data/log")));
  const std::string theirs = temp.file("data/log/") + segment_name(SegmentId{2});
  const std::string prepared = temp.file("data/log/") + segment_name(SegmentId{2}, kPreparedSuffix);
  for (const std::string& path : {theirs, prepared}) std::ofstream(path) << "theirs";
  AppendOutcome outcome{.kind = Kind::Stored};
  std::uint64_t position = 4;
  for (; outcome.kind == Kind::Stored && position < 2000; ++position) {
    outcome = store->append_and_wait(sample_proposal(position));
  }
  CHECK(outcome.kind == Kind::Unavailable);
  check_stopped(*store, "the data folder was replaced");
  CHECK(store->health().reason.find("restart the server") != std::string::npos);
  CHECK(store->close());
  store.reset();
  for (const std::string& path : {theirs, prepared}) {
    std::ifstream in(path);
    CHECK(std::string{std::istreambuf_iterator<char>(in), {}} == "theirs");
  }
  // All that was acknowledged is where the folder went.
  options.folder = temp.file("gone");
  CHECK(Store::open(options).value()->durable_end() == Position{position - 1});
}

TEST_CASE("Store.AFolderThatIsMovedAwayStopsAppendsByItself") {
  const TempFolder temp;
  StoreOptions options = sample_options(posix_file_system());
  options.folder = temp.file("data");
  options.guard_interval = std::chrono::milliseconds{1};
  auto store = Store::open(options).value();
  append_sample(*store, 3);
  fs::rename(temp.file("data"), temp.file("gone"));
  wait_until([&] { return !store->health().writable; });
  check_stopped(*store, "the data folder was removed or moved away");
  Record record;
  CHECK(store->view()->read(Position{3}, record));
  CHECK(store->close());
}

TEST_CASE("Store.ABackupThatIsCopiedOverItsFilesStopsIt") {
  const TempFolder temp;
  StoreOptions options = sample_options(posix_file_system());
  options.folder = temp.file("data");
  options.guard_interval = std::chrono::milliseconds{0};
  const auto copy = [](const std::string& from, const std::string& to) {
    std::ifstream in(from, std::ios::binary);
    std::ofstream(to, std::ios::binary) << in.rdbuf();  // the file stays what it is, as with cp(1)
  };
  const std::string segment = temp.file("data/log/") + segment_name(SegmentId{1});
  bool by_itself = false;
  SUBCASE("noticed by the next append") {}
  SUBCASE("noticed without one") {
    by_itself = true;
    options.guard_interval = std::chrono::milliseconds{1};
  }
  auto store = Store::open(options).value();
  append_sample(*store, 3);
  const Position backed_up = store->durable_end();
  const std::string state = temp.file("data/state");
  copy(segment, temp.file("segment"));
  copy(state, temp.file("state"));
  append_sample(*store, 3);
  copy(temp.file("segment"), segment);
  copy(temp.file("state"), state);
  if (by_itself) {
    wait_until([&] { return !store->health().writable; });
  } else {
    CHECK(store->append_and_wait(sample_proposal(store->durable_end().value())).kind == Kind::OutcomeUnknown);
  }
  check_stopped(*store, "the active segment was written over");
  CHECK(store->close());
  store.reset();
  // What was copied there is whole.
  const auto restored = Store::open(options);
  REQUIRE_MESSAGE(restored, restored.error().describe());
  CHECK((*restored)->durable_end() == backed_up);
}

TEST_CASE("Store.ACopyOfTheFolderWithTheSameFilesIsLockedToo") {
  const TempFolder temp;
  StoreOptions options = sample_options(posix_file_system());
  options.folder = temp.file("data");
  auto store = Store::open(options).value();
  append_sample(*store, 3);
  SUBCASE("the first segment") {}
  SUBCASE("a later one") { append_sample(*store, 1000); }
  fs::copy(temp.file("data"), temp.file("copy"), fs::copy_options::recursive | fs::copy_options::create_hard_links);
  fs::remove(temp.file("copy/lock"));
  StoreOptions second = options;
  second.folder = temp.file("copy");
  CHECK(Store::open(second).error().kind == ErrorKind::Locked);
  append_sample(*store, 3);
  REQUIRE(store->close());
  CHECK(Store::open(second));
}

TEST_CASE("Store.ClosedInAFolderThatWasReplacedIsNotClosedCleanly") {
  const TempFolder temp;
  StoreOptions options = sample_options(posix_file_system());
  options.folder = temp.file("data");
  auto store = Store::open(options).value();
  append_sample(*store, 3);
  fs::rename(temp.file("data"), temp.file("gone"));
  CHECK(store->close());
  store.reset();
  options.folder = temp.file("gone");
  CHECK(Store::open(options).value()->recovery().cut_bytes == 0);
  CHECK_FALSE(fs::exists(temp.file("data")));
}

TEST_CASE("Store.WritesAndRemovesNoIndexFilesWhereAnotherStoreMayLie") {
  SimulatedFileSystem disk(1);
  auto store = Store::open(sample_options(disk)).value();
  append_sample(*store, 40);  // some runs
  const auto before = disk.list("/store/index").value();
  REQUIRE(!before.empty());
  REQUIRE(disk.remove("/store/lock"));
  REQUIRE(disk.open("/store/lock", OpenMode::CreateNew));  // as after a move: the names mean something else
  // The log notices when it rolls, which is later; the index is due at once, and waits until appends wait for it.
  bool refused = false;
  for (int i = 0; i < 400 && !refused; ++i) {
    refused = store->append_and_wait(sample_proposal(store->durable_end().value())).kind != Kind::Stored;
  }
  CHECK(refused);
  CHECK(store->health().reason.find("restart the server") != std::string::npos);
  CHECK(disk.list("/store/index").value() == before);
  (void)store->close();
  CHECK(disk.list("/store/index").value() == before);
}
