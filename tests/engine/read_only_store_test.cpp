#include "engine/store/read_only_store.h"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <type_traits>

#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::test;
namespace fs = std::filesystem;

namespace {

static_assert(!std::is_base_of_v<Store, ReadOnlyStore>, "it has nothing to append with");

constexpr std::uint64_t kStored = 900;

ReadOnlyOptions reading(FileSystem& files, const std::string& folder = "/store", const std::string& temp = "/tmp") {
  ReadOnlyOptions options;
  options.folder = folder;
  options.temporary_folder = temp;
  options.index_part_records_max = 16;
  options.file_system = &files;
  return options;
}

/// Everything that changes a disk or keeps others from it.
std::uint64_t changing_calls(const SimulatedFileSystem& disk) {
  std::uint64_t calls = 0;
  for (const SimulatedCall call : {SimulatedCall::Write, SimulatedCall::Sync, SimulatedCall::Allocate,
                                   SimulatedCall::Truncate, SimulatedCall::CreateFolders, SimulatedCall::Rename,
                                   SimulatedCall::Remove, SimulatedCall::SyncDirectory, SimulatedCall::Lock}) {
    calls += disk.calls(call);
  }
  return calls;
}

FileContents contents_of(SimulatedFileSystem& disk) {
  FileContents files;
  read_folder(disk, "/store", files);
  return files;
}

void fill_store(FileSystem& files, std::uint64_t events, const std::string& folder = "/store") {
  StoreOptions options = sample_options(files);
  options.folder = folder;
  auto store = Store::open(options);
  REQUIRE(store);
  append_sample(**store, events);
  REQUIRE((*store)->close());
}

std::string newest_segment(const FileContents& files) {
  std::string newest;
  for (const auto& [path, contents] : files) {
    if (path.ends_with(".seg")) newest = path;
  }
  return newest;
}

/// Name, permissions, time of the last change and bytes of all that is in a folder.
std::map<std::string, std::string> look_at_all(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat about {};
    REQUIRE(::stat(entry.path().c_str(), &about) == 0);
    std::ostringstream text;
    text << about.st_mode << ' ' << about.st_ino << ' ' << about.st_mtim.tv_sec << ' ' << about.st_mtim.tv_nsec << ' '
         << about.st_size << '\n';
    if (entry.is_regular_file()) text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    all[entry.path()] = text.str();
  }
  return all;
}

}  // namespace

TEST_CASE("ReadOnlyStore.ReadsAClosedStoreAndWritesNothing") {
  SimulatedFileSystem disk(1);
  fill_store(disk, kStored);
  const FileContents before = contents_of(disk);
  const std::uint64_t calls = changing_calls(disk);
  auto store = Store::open_read_only(reading(disk));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK_FALSE((*store)->beside_owner());
  CHECK((*store)->head().size == kStored + 1);
  CHECK(check_sample((*store)->view(), kStored + 1).failed == 0);
  const Digest root = (*store)->head().root;
  store->reset();
  CHECK(changing_calls(disk) == calls);
  CHECK(contents_of(disk) == before);
  auto writer = Store::open(sample_options(disk));
  REQUIRE(writer);
  CHECK((*writer)->head().root == root);
}

TEST_CASE("ReadOnlyStore.NoStoreIsNotFoundAndIsNotMade") {
  SimulatedFileSystem disk(2);
  CHECK(Store::open_read_only(reading(disk)).error().kind == ErrorKind::NotFound);
  REQUIRE(disk.create_folders("/store/log"));
  CHECK(Store::open_read_only(reading(disk)).error().kind == ErrorKind::NotFound);
  CHECK(contents_of(disk).empty());
}

TEST_CASE("ReadOnlyStore.LeavesATornTailOutAndWhereItIs") {
  SimulatedFileSystem disk(3);
  fill_store(disk, kStored);
  const std::string segment = newest_segment(contents_of(disk));
  std::uint64_t end = 0;
  {
    auto file = disk.open(segment, OpenMode::ReadWrite);
    REQUIRE(file);
    const std::string bytes = *disk.live_contents(segment);
    end = bytes.find_last_not_of('\0') + 1;
    REQUIRE((*file)->write_at(ByteOffset{(end + 7) / 8 * 8}, std::string(40, 'x')));
  }
  const FileContents before = contents_of(disk);
  const std::uint64_t calls = changing_calls(disk);
  auto store = Store::open_read_only(reading(disk));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK(check_sample((*store)->view(), kStored + 1).failed == 0);
  CHECK((*store)->recovery().tail_case != "clean");
  REQUIRE_FALSE((*store)->recovery().notes.empty());
  CHECK((*store)->recovery().notes.back().find("left out") != std::string::npos);
  CHECK(changing_calls(disk) == calls);
  CHECK(contents_of(disk) == before);
}

TEST_CASE("ReadOnlyStore.RefusesWhatAnOpeningRefuses") {
  SimulatedFileSystem disk(4);
  fill_store(disk, kStored);
  {
    auto file = disk.open(newest_segment(contents_of(disk)), OpenMode::ReadWrite);
    REQUIRE(file);
    REQUIRE((*file)->write_at(ByteOffset{0}, "XXXX"));
  }
  const FileContents before = contents_of(disk);
  const auto read_only = Store::open_read_only(reading(disk));
  REQUIRE_FALSE(read_only);
  CHECK(contents_of(disk) == before);
  const auto writer = Store::open(sample_options(disk));
  REQUIRE_FALSE(writer);
  CHECK(read_only.error().kind == writer.error().kind);
  CHECK(read_only.error().message == writer.error().message);
}

TEST_CASE("ReadOnlyStore.RefusesDamageInTheMiddleOfAGroupAsAnOpeningDoes") {
  SimulatedFileSystem disk(8);
  fill_store(disk, kStored);
  const FileContents whole = contents_of(disk);
  const std::string segment = newest_segment(whole);
  const std::string& bytes = whole.at(segment);
  const std::size_t end = bytes.find_last_not_of('\0') + 1;
  std::uint64_t refused = 0;
  // From the last group backwards, so that both a torn tail and damage before valid groups are met.
  for (std::size_t at = end - 8; at > end - 2000; at -= 61) {
    FileContents damaged = whole;
    damaged[segment][at] = static_cast<char>(damaged[segment][at] ^ 0x20);
    std::erase_if(damaged, [](const auto& file) { return file.first.starts_with("/store/index/"); });
    SimulatedFileSystem other(9);
    write_files(other, damaged);
    REQUIRE(other.create_folders("/store/index"));
    const auto read_only = Store::open_read_only(reading(other));
    CHECK(contents_of(other) == damaged);
    const auto writer = Store::open(sample_options(other));
    REQUIRE(static_cast<bool>(read_only) == static_cast<bool>(writer));
    if (writer) {
      CHECK((*read_only)->head().root == (*writer)->head().root);
      continue;
    }
    ++refused;
    CHECK(read_only.error().describe() == writer.error().describe());
  }
  CHECK(refused > 20);
}

TEST_CASE("ReadOnlyStore.BesideAServerDamageBelowThePublishedEndIsRefused") {
  SimulatedFileSystem disk(10);
  auto writer = Store::open(sample_options(disk));
  REQUIRE(writer);
  append_sample(**writer, 10);  // none of it in a run yet
  const std::string segment = newest_segment(contents_of(disk));
  const std::size_t end = disk.live_contents(segment)->find_last_not_of('\0') + 1;
  auto file = disk.open(segment, OpenMode::ReadWrite);
  REQUIRE(file);
  const char byte = static_cast<char>((*disk.live_contents(segment))[end - 40] ^ 1);
  REQUIRE((*file)->write_at(ByteOffset{end - 40}, {&byte, 1}));
  const auto store = Store::open_read_only(reading(disk));
  REQUIRE_FALSE(store);
  CHECK(store.error().kind == ErrorKind::Corrupt);
}

TEST_CASE("ReadOnlyStore.ADamagedPageBehindAGoodDirectoryIsAnErrorOfTheReads") {
  SimulatedFileSystem disk(11);
  fill_store(disk, kStored);
  const FileContents whole = contents_of(disk);
  std::string run;
  for (const auto& [path, bytes] : whole) {
    if (path.starts_with("/store/index/") && (run.empty() || bytes.size() > whole.at(run).size())) run = path;
  }
  REQUIRE(!run.empty());
  std::uint64_t failing = 0;
  for (std::size_t page = 4096; page + 17 < whole.at(run).size(); page += 4096) {
    FileContents damaged = whole;
    damaged[run][page + 17] = static_cast<char>(damaged[run][page + 17] ^ 4);
    SimulatedFileSystem other(12);
    write_files(other, damaged);
    const auto store = Store::open_read_only(reading(other));
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    const std::uint64_t failed = check_sample((*store)->view(), kStored + 1).failed;
    failing += failed > 0;
    if (failed > 0) CHECK(check_sample((*store)->view(), kStored + 1).failed > 0);
    CHECK(contents_of(other) == damaged);
  }
  CHECK(failing > 3);
}

TEST_CASE("ReadOnlyStore.AServerWhoseLockFileIsGoneIsStillSeen") {
  TempFolder temp;
  const std::string folder = temp.file("data");
  StoreOptions options = sample_options(posix_file_system());
  options.folder = folder;
  auto writer = Store::open(options);
  REQUIRE(writer);
  append_sample(**writer, 10);
  SUBCASE("removed") { fs::remove(folder + "/lock"); }
  SUBCASE("replaced") {
    fs::remove(folder + "/lock");
    std::ofstream(folder + "/lock") << "1\n";
  }
  const auto listed = posix_file_system().is_locked(folder + "/lock");
  REQUIRE(listed);
  {
    std::ostringstream locks;
    locks << std::ifstream("/proc/locks").rdbuf();
    struct stat about {};
    REQUIRE(::stat(folder.c_str(), &about) == 0);
    if (locks.str().find(":" + std::to_string(about.st_ino) + " ") == std::string::npos) {
      MESSAGE("the system does not list the lock of the folder: not tested");
      return;
    }
  }
  CHECK(*listed);
  const auto store = Store::open_read_only(reading(posix_file_system(), folder, temp.path()));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK((*store)->beside_owner());
  CHECK((*store)->view()->end() == (*writer)->durable_end());
  REQUIRE((*writer)->close());
  CHECK_FALSE(posix_file_system().is_locked(folder + "/lock").value());
}

TEST_CASE("ReadOnlyStore.AskingForTheLockRefusesNobody") {
  TempFolder temp;
  const std::string lock = temp.file("lock");
  FileSystem& files = posix_file_system();
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> asked{0};
  std::thread asking([&] {
    while (!done) {
      (void)files.is_locked(lock);
      ++asked;
    }
  });
  bool refused = false;
  for (int i = 0; i < 200 || asked < 200; ++i) refused = refused || !files.lock(lock);
  done = true;
  asking.join();
  CHECK_FALSE(refused);
}

TEST_CASE("ReadOnlyStore.MakesMissingRunsInTheTemporaryFolderOnly") {
  TempFolder temp;
  const std::string folder = temp.file("data");
  const std::string elsewhere = temp.file("elsewhere");
  fs::create_directory(elsewhere);
  fill_store(posix_file_system(), kStored, folder);
  fs::remove_all(folder + "/index");
  const auto before = look_at_all(folder);
  {
    auto store = Store::open_read_only(reading(posix_file_system(), folder, elsewhere));
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    CHECK_FALSE(fs::is_empty(elsewhere));
    CHECK(check_sample((*store)->view(), kStored + 1).failed == 0);
    const auto view = (*store)->view();
    store->reset();
    CHECK(check_sample(view, kStored + 1).failed == 0);
  }
  CHECK(fs::is_empty(elsewhere));
  CHECK(look_at_all(folder) == before);
}

TEST_CASE("ReadOnlyStore.MakesOnlyTheRunsAnewThatAreMissingOrDamaged") {
  TempFolder temp;
  const std::string folder = temp.file("data");
  fill_store(posix_file_system(), kStored, folder);
  std::string last;
  for (const auto& entry : fs::directory_iterator(folder + "/index")) last = std::max(last, entry.path().string());
  REQUIRE_FALSE(last.empty());
  SUBCASE("missing") { fs::remove(last); }
  SUBCASE("damaged") { fs::resize_file(last, 100); }
  const auto before = look_at_all(folder);
  auto store = Store::open_read_only(reading(posix_file_system(), folder, temp.path()));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK(check_sample((*store)->view(), kStored + 1).failed == 0);
  store->reset();
  CHECK(look_at_all(folder) == before);
}

TEST_CASE("ReadOnlyStore.TheRightToReadIsEnough") {
  TempFolder temp;
  const std::string folder = temp.file("data");
  fill_store(posix_file_system(), kStored, folder);
  std::vector<fs::path> all{folder};
  for (const auto& entry : fs::recursive_directory_iterator(folder)) all.push_back(entry.path());
  const auto allow = [&](bool writing) {
    for (const auto& path : all) {
      fs::permissions(path, fs::perms::owner_write, writing ? fs::perm_options::add : fs::perm_options::remove);
    }
  };
  allow(false);
  const auto before = look_at_all(folder);
  {
    auto store = Store::open_read_only(reading(posix_file_system(), folder, temp.path()));
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    CHECK(check_sample((*store)->view(), kStored + 1).failed == 0);
  }
  CHECK(look_at_all(folder) == before);
  allow(true);
}

TEST_CASE("ReadOnlyStore.BesideAServerItStopsAtThePublishedEnd") {
  SimulatedFileSystem disk(5);
  auto writer = Store::open(sample_options(disk));
  REQUIRE(writer);
  append_sample(**writer, 100);
  const auto state = disk.live_contents("/store/state");
  REQUIRE(state);
  const auto wait = (*writer)->durable_end();
  append_sample(**writer, 5);
  // What the file already holds is more than the state file tells.
  {
    auto file = disk.open("/store/state", OpenMode::ReadWrite);
    REQUIRE(file);
    REQUIRE((*file)->write_at(ByteOffset{0}, *state));
  }
  const std::uint64_t calls = changing_calls(disk);
  {
    auto store = Store::open_read_only(reading(disk));
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    CHECK((*store)->beside_owner());
    CHECK((*store)->view()->end() == wait);
    CHECK(check_sample((*store)->view(), wait.value()).failed == 0);
  }
  CHECK(changing_calls(disk) == calls);
  append_sample(**writer, 50);
  REQUIRE((*writer)->close());
}

TEST_CASE("ReadOnlyStore.AStateFileOfAKilledServerDoesNotBound") {
  SimulatedFileSystem disk(6);
  std::string old_state;
  {
    auto writer = Store::open(sample_options(disk));
    REQUIRE(writer);
    append_sample(**writer, 50);
    old_state = disk.live_contents("/store/state").value();
    append_sample(**writer, 50);
    disk.cut_power();
  }
  disk.kill();
  {
    auto file = disk.open("/store/state", OpenMode::ReadWrite);
    REQUIRE(file);
    REQUIRE((*file)->write_at(ByteOffset{0}, old_state));
  }
  auto store = Store::open_read_only(reading(disk));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK_FALSE((*store)->beside_owner());
  CHECK(check_sample((*store)->view(), 101).failed == 0);
}

TEST_CASE("ReadOnlyStore.BesideAnOwnerThatTellsNothingItIsLocked") {
  SimulatedFileSystem disk(7);
  fill_store(disk, 20);
  REQUIRE(disk.remove("/store/state"));
  const auto held = disk.lock("/store/lock");
  REQUIRE(held);
  CHECK(Store::open_read_only(reading(disk)).error().kind == ErrorKind::Locked);
}

TEST_CASE("ReadOnlyStore.FollowsAServerThatAppendsRollsAndMerges") {
  TempFolder temp;
  const std::string folder = temp.file("data");
  StoreOptions options = sample_options(posix_file_system());
  options.folder = folder;
  SUBCASE("the committer merges") {}
  SUBCASE("merges in the background") { options.compaction_bytes_per_second = 1ULL << 30; }
  auto writer = Store::open(options);
  REQUIRE(writer);
  constexpr std::uint64_t kAppended = 1500;
  std::atomic<bool> done{false};
  std::thread appender([&] {
    for (std::uint64_t p = 1; p <= kAppended; ++p) {
      if ((*writer)->append_and_wait(sample_proposal(p)).kind != AppendOutcome::Kind::Stored) break;
    }
    done = true;
  });
  std::uint64_t opened = 0;
  Position last;
  std::string trouble;
  while (trouble.empty() && (!done || opened < 3)) {
    const Position durable_before = (*writer)->durable_end();
    auto store = Store::open_read_only(reading(posix_file_system(), folder, temp.path()));
    if (!store) {
      trouble = store.error().describe();
      break;
    }
    const Position end = (*store)->view()->end();
    // What is published is durable; durable_end() of the writer steps on just before.
    if (end.next() < durable_before || end < last) trouble = "behind what was durable";
    if (!(*store)->beside_owner()) trouble = "the server was not seen";
    if (end > (*writer)->durable_end()) trouble = "beyond what is durable";
    if (trouble.empty() && check_sample((*store)->view(), end.value()).failed != 0) trouble = "reads failed";
    last = end;
    ++opened;
  }
  appender.join();
  CHECK_MESSAGE(trouble.empty(), trouble);
  CHECK(opened >= 3);
  CHECK((*writer)->durable_end() == Position{kAppended + 1});
  REQUIRE((*writer)->close());
}
