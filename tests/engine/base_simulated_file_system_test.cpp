// What the simulated disk may lose, and what it may not. Cases run over many seeds: what may happen is seen at least
// once, what must not happen never.

#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/opened_file.h"
#include "tests/support/simulated_file_system.h"

namespace stele {
namespace {

constexpr std::uint64_t kSeeds = 300;
constexpr std::size_t kSector = 512;

/// A durable file of this content at /d/a.
std::unique_ptr<File> durable_file(SimulatedFileSystem& disk, const std::string& content) {
  REQUIRE(disk.create_folders("/d"));
  auto file = opened(disk, "/d/a");
  REQUIRE(file->write_at(ByteOffset{0}, content));
  REQUIRE(file->sync_data());
  REQUIRE(disk.sync_directory("/d"));
  return file;
}

std::string found(SimulatedFileSystem& disk, const std::string& path = "/d/a") {
  const auto content = disk.live_contents(path);
  REQUIRE(content);
  REQUIRE(disk.durable_contents(path) == content);
  return *content;
}

/// What crashes after `steps` leave of /d/a, over many seeds.
std::set<std::string> outcomes(const std::string& before,
                               const std::function<void(SimulatedFileSystem&, File&)>& steps) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, before);
    steps(disk, *file);
    disk.crash();
    seen.insert(found(disk));
  }
  return seen;
}

/// One letter a sector; '?' if a sector is not uniform.
std::string by_sector(const std::string& content) {
  std::string letters;
  for (std::size_t at = 0; at < content.size(); at += kSector) {
    const std::string sector = content.substr(at, kSector);
    const bool uniform = sector == std::string(sector.size(), sector[0]);
    letters += !uniform ? '?' : sector[0] == '\0' ? '0' : sector[0];
  }
  return letters;
}

std::set<std::string> by_sector(const std::set<std::string>& contents) {
  std::set<std::string> letters;
  for (const auto& content : contents) letters.insert(by_sector(content));
  return letters;
}

std::string sectors(std::size_t count, char letter) { return std::string(count * kSector, letter); }

TEST_CASE("SimulatedDisk.SyncedDataIsNeverLost") {
  const auto seen = outcomes(sectors(4, 'a'), [](auto& disk, File& file) {
    REQUIRE(file.write_at(ByteOffset{100}, "middle"));
    REQUIRE(file.write_at(ByteOffset{5000}, "end"));
    REQUIRE(file.truncate(5002));
    REQUIRE(file.sync_data());
    static_cast<void>(disk);
  });
  std::string expected = sectors(4, 'a');
  expected.replace(100, 6, "middle");
  expected.resize(5000, '\0');
  CHECK(seen == std::set<std::string>{expected + "en"});
}

TEST_CASE("SimulatedDisk.UnsyncedSectorsSurviveIndependently") {
  const auto seen = by_sector(
      outcomes(sectors(3, 'a'), [](auto&, File& file) { REQUIRE(file.write_at(ByteOffset{0}, sectors(3, 'b'))); }));
  CHECK(seen == std::set<std::string>{"aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"});
}

TEST_CASE("SimulatedDisk.LaterWritesMaySurviveEarlierOnesAndVersionsInBetween") {
  const auto seen = by_sector(outcomes(sectors(2, 'a'), [](auto&, File& file) {
    REQUIRE(file.write_at(ByteOffset{0}, sectors(2, 'b')));
    REQUIRE(file.write_at(ByteOffset{kSector}, sectors(1, 'c')));
  }));
  CHECK(seen == std::set<std::string>{"aa", "ab", "ac", "ba", "bb", "bc"});
}

TEST_CASE("SimulatedDisk.ASectorIsNeverTorn") {
  const auto seen = outcomes(sectors(1, 'a'), [](auto&, File& file) {
    REQUIRE(file.write_at(ByteOffset{10}, "one"));
    REQUIRE(file.write_at(ByteOffset{20}, "two"));
  });
  std::string one = sectors(1, 'a');
  one.replace(10, 3, "one");
  std::string two = one;
  two.replace(20, 3, "two");
  CHECK(seen == std::set<std::string>{sectors(1, 'a'), one, two});
}

TEST_CASE("SimulatedDisk.AnUnsyncedSizeMayComeWithoutItsData") {
  const auto seen = by_sector(outcomes(
      sectors(1, 'a'), [](auto&, File& file) { REQUIRE(file.write_at(ByteOffset{kSector}, sectors(2, 'b'))); }));
  CHECK(seen == std::set<std::string>{"a", "a00", "a0b", "ab0", "abb"});
}

TEST_CASE("SimulatedDisk.ATruncationSurvivesOrNotButOldBytesNeverReturnBehindIt") {
  const auto seen = by_sector(outcomes(sectors(3, 'a'), [](auto&, File& file) {
    REQUIRE(file.truncate(kSector));
    REQUIRE(file.allocate(3 * kSector));
    REQUIRE(file.write_at(ByteOffset{2 * kSector}, sectors(1, 'b')));
  }));
  CHECK(seen == std::set<std::string>{"aaa", "a", "a00", "a0b"});
}

TEST_CASE("SimulatedDisk.WrittenZerosMayBeLostUntilSynced") {
  const auto steps = [](bool sync) {
    return [sync](auto&, File& file) {
      REQUIRE(file.write_at(ByteOffset{0}, sectors(2, '\0')));
      if (sync) REQUIRE(file.sync_data());
    };
  };
  CHECK(by_sector(outcomes(sectors(2, 'a'), steps(false))) == std::set<std::string>{"00", "0a", "a0", "aa"});
  CHECK(by_sector(outcomes(sectors(2, 'a'), steps(true))) == std::set<std::string>{"00"});
}

TEST_CASE("SimulatedDisk.AFailedSyncForgetsWhatItLost") {
  bool lost = false;
  bool kept = false;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, sectors(4, 'a'));
    REQUIRE(file->write_at(ByteOffset{0}, sectors(4, 'b')));
    disk.fail_call(SimulatedCall::Sync, 1, SimulatedFailure::Io);
    CHECK(file->sync_data().error().kind == ErrorKind::Io);
    CHECK(by_sector(*disk.live_contents("/d/a")) == "bbbb");
    REQUIRE(file->write_at(ByteOffset{kSector}, sectors(1, 'b')));
    REQUIRE(file->sync_data());
    CHECK(by_sector(*disk.live_contents("/d/a")) == "bbbb");
    disk.crash();
    const std::string letters = by_sector(found(disk));
    CHECK(letters[1] == 'b');  // written again
    lost |= letters != "bbbb";
    kept |= letters.find('b', 2) != std::string::npos;
  }
  CHECK(lost);
  CHECK(kept);
}

TEST_CASE("SimulatedDisk.EntriesArePendingUntilTheirFolderIsSynced") {
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, "a");
    REQUIRE(opened(disk, "/d/new", OpenMode::CreateNew)->sync_data());
    REQUIRE(disk.rename("/d/a", "/d/b"));
    REQUIRE(disk.remove("/d/b"));
    disk.crash();
    seen.insert(disk.list("/d").value());
  }
  // A journal shows a prefix: nothing, the creation, then the rename, then the removal.
  CHECK(seen == std::set<std::vector<std::string>>{{"a"}, {"a", "new"}, {"b", "new"}, {"new"}});
}

TEST_CASE("SimulatedDisk.SyncedEntriesAreNeverLost") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, "a");
    REQUIRE(disk.create_folders("/e/f"));
    opened(disk, "/e/f/new", OpenMode::CreateNew);
    REQUIRE(disk.rename("/d/a", "/e/b"));
    REQUIRE(disk.sync_directory("/e"));
    REQUIRE(disk.sync_directory("/e/f"));
    disk.crash();
    CHECK(disk.list("/d").value().empty());
    CHECK(disk.list("/e").value() == std::vector<std::string>{"b", "f"});
    CHECK(disk.list("/e/f").value() == std::vector<std::string>{"new"});
    CHECK(found(disk, "/e/b") == "a");
    CHECK(found(disk, "/e/f/new").empty());
  }
}

TEST_CASE("SimulatedDisk.ARenameThatReplacesShowsOneOfBothFiles") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, "old");
    const auto replacement = opened(disk, "/d/a.new");
    REQUIRE(replacement->write_at(ByteOffset{0}, "new"));
    REQUIRE(replacement->sync_data());
    REQUIRE(disk.rename("/d/a.new", "/d/a"));
    disk.crash();
    seen.insert(found(disk));
  }
  CHECK(seen == std::set<std::string>{"old", "new"});
}

TEST_CASE("SimulatedDisk.AKilledProcessLosesNothingButPowerStillMay") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, "a");
    REQUIRE(file->write_at(ByteOffset{0}, "b"));
    opened(disk, "/d/new");
    disk.kill();
    CHECK(disk.live_contents("/d/a") == "b");
    CHECK(disk.durable_contents("/d/a") == "a");
    CHECK(disk.list("/d").value() == std::vector<std::string>{"a", "new"});
    disk.crash();
    seen.insert(found(disk) + (disk.exists("/d/new").value() ? " new" : ""));
  }
  CHECK(seen == std::set<std::string>{"a", "b", "a new", "b new"});
}

TEST_CASE("SimulatedDisk.HandlesOfTheOldLifeAreDead") {
  SimulatedFileSystem disk(1);
  const auto file = durable_file(disk, "abc");
  const auto mapping = file->map(3).value();
  const auto lock = disk.lock("/d/lock");
  REQUIRE(lock);
  disk.crash();
  CHECK(file->write_at(ByteOffset{0}, "x").error().os_error == EIO);
  CHECK(file->sync_data().error().os_error == EIO);
  CHECK(file->size().error().os_error == EIO);
  CHECK(file->map(1).error().os_error == EIO);
  REQUIRE(opened(disk, "/d/a")->write_at(ByteOffset{0}, "new"));
  std::string bytes(3, '?');
  REQUIRE(mapping->copy_out(ByteOffset{0}, bytes));
  CHECK(bytes == "abc");
  const auto again = disk.lock("/d/lock");
  CHECK(again);
}

TEST_CASE("SimulatedDisk.AMappedSectorIsOldOrNew") {
  const auto seen = by_sector(outcomes(sectors(2, 'a'), [](auto&, File& file) {
    const auto mapping = file.map_writable(2 * kSector).value();
    std::memset(mapping->writable(), 'b', 2 * kSector);
  }));
  CHECK(seen == std::set<std::string>{"aa", "ab", "ba", "bb"});
}

TEST_CASE("SimulatedDisk.TheChosenCallFails") {
  SimulatedFileSystem disk(1);
  const auto file = durable_file(disk, "abc");
  disk.fail_call(SimulatedCall::Write, 2, SimulatedFailure::DiskFull);
  CHECK(file->write_at(ByteOffset{0}, "x"));
  const auto failed = file->write_at(ByteOffset{1}, "y");
  CHECK(failed.error().kind == ErrorKind::DiskFull);
  CHECK(failed.error().file == "/d/a");
  CHECK(file->write_at(ByteOffset{2}, "z"));
  CHECK(disk.live_contents("/d/a") == "xbz");

  using enum SimulatedCall;
  for (const SimulatedCall call : {Open, Lookup, CreateFolders, Rename, Remove, SyncDirectory, Lock}) {
    disk.fail_call(call, 1, SimulatedFailure::Io);
  }
  CHECK(disk.open("/d/a", OpenMode::Read).error().kind == ErrorKind::Io);
  CHECK(disk.exists("/d/a").error().kind == ErrorKind::Io);
  CHECK(disk.create_folders("/x").error().kind == ErrorKind::Io);
  CHECK(disk.rename("/d/a", "/d/b").error().kind == ErrorKind::Io);
  CHECK(disk.remove("/d/a").error().kind == ErrorKind::Io);
  CHECK(disk.sync_directory("/d").error().kind == ErrorKind::Io);
  CHECK(disk.lock("/d/lock").error().kind == ErrorKind::Io);
  const auto mapping = file->map(3).value();
  for (const SimulatedCall call : {Read, Allocate, Truncate, Map, Close}) disk.fail_call(call, 1, SimulatedFailure::Io);
  std::string bytes(3, '?');
  CHECK(mapping->copy_out(ByteOffset{0}, bytes).error().kind == ErrorKind::Io);
  CHECK(file->allocate(10).error().kind == ErrorKind::Io);
  CHECK(file->truncate(0).error().kind == ErrorKind::Io);
  CHECK(file->map(3).error().kind == ErrorKind::Io);
  CHECK(disk.live_contents("/d/a") == "xbz");
  CHECK(disk.list("/d").value() == std::vector<std::string>{"a"});
  CHECK(file->close().error().kind == ErrorKind::Io);
}

TEST_CASE("SimulatedDisk.AShortWriteLeavesABeginning") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, "abc");
    disk.fail_call(SimulatedCall::Write, 1, SimulatedFailure::ShortDiskFull);
    CHECK(file->write_at(ByteOffset{0}, "xyz").error().kind == ErrorKind::DiskFull);
    seen.insert(*disk.live_contents("/d/a"));
  }
  CHECK(seen == std::set<std::string>{"abc", "xbc", "xyc"});
}

TEST_CASE("SimulatedDisk.FailuresByProbabilityStopWhenTold") {
  SimulatedFileSystem disk(1);
  const auto file = durable_file(disk, "abc");
  disk.fail_with_probability(SimulatedCall::Read, 0.5, SimulatedFailure::Io);
  int failed = 0;
  char byte = 0;
  for (int i = 0; i < 1000; ++i) failed += !file->read_at(ByteOffset{0}, {&byte, 1});
  CHECK(failed > 350);
  CHECK(failed < 650);
  disk.stop_failing();
  for (int i = 0; i < 100; ++i) REQUIRE(file->read_at(ByteOffset{0}, {&byte, 1}));
}

TEST_CASE("SimulatedDisk.AFullDiskRefusesGrowthAndHealsWithSpace") {
  SimulatedFileSystem disk(1);
  const auto file = durable_file(disk, std::string(4096, 'a'));
  disk.set_capacity(4 * 4096);
  const auto other = opened(disk, "/d/b");
  CHECK(other->allocate(3 * 4096));
  CHECK(disk.used_bytes() == 4 * 4096);
  const auto refused = file->write_at(ByteOffset{4000}, std::string(200, 'b'));
  CHECK(refused.error().kind == ErrorKind::DiskFull);
  CHECK(file->write_at(ByteOffset{0}, "bbb"));
  CHECK(file->allocate(4 * 4096).error().kind == ErrorKind::DiskFull);
  REQUIRE(disk.remove("/d/b"));
  CHECK(file->allocate(4 * 4096));
  CHECK(file->allocate(4 * 4096 + 1).error().kind == ErrorKind::DiskFull);
}

TEST_CASE("SimulatedDisk.AfterThePowerCutNothingReachesTheDisk") {
  SimulatedFileSystem disk(1);
  const auto file = durable_file(disk, "abc");
  const std::uint64_t before = disk.calls();
  disk.cut_power_at_call(2);
  REQUIRE(file->write_at(ByteOffset{0}, "x"));
  CHECK_FALSE(disk.power_is_cut());
  CHECK(file->sync_data().error().kind == ErrorKind::Io);
  CHECK(disk.power_is_cut());
  CHECK(disk.open("/d/new", OpenMode::CreateNew).error().kind == ErrorKind::Io);
  CHECK(disk.calls() == before + 3);
  CHECK(disk.durable_contents("/d/a") == "abc");
  disk.crash();
  CHECK_FALSE(disk.power_is_cut());
  CHECK(disk.list("/d").value() == std::vector<std::string>{"a"});
}

TEST_CASE("SimulatedDisk.CallsAreCountedByKind") {
  SimulatedFileSystem disk(1);
  const auto file = durable_file(disk, "abc");
  CHECK(disk.calls(SimulatedCall::CreateFolders) == 1);
  CHECK(disk.calls(SimulatedCall::Open) == 1);
  CHECK(disk.calls(SimulatedCall::Write) == 1);
  CHECK(disk.calls(SimulatedCall::Sync) == 1);
  CHECK(disk.calls(SimulatedCall::SyncDirectory) == 1);
  CHECK(disk.calls() == 5);
}

TEST_CASE("SimulatedDisk.TheSameSeedGivesTheSameCrash") {
  const auto run = [](std::uint64_t seed) {
    SimulatedFileSystem disk(seed);
    const auto file = durable_file(disk, sectors(32, 'a'));
    REQUIRE(file->write_at(ByteOffset{0}, sectors(32, 'b')));
    REQUIRE(file->write_at(ByteOffset{5 * kSector}, sectors(40, 'c')));
    for (int i = 0; i < 5; ++i) opened(disk, "/d/" + std::to_string(i));
    disk.crash();
    return std::pair(found(disk), disk.list("/d").value());
  };
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CHECK(run(seed) == run(seed));
    different.insert(run(seed).first);
  }
  CHECK(different.size() > 20);
}

TEST_CASE("SimulatedDisk.CrashesBesideRunningThreadsAreSafe") {
  SimulatedFileSystem disk(1);
  REQUIRE(disk.create_folders("/d"));
  std::atomic<bool> stop{false};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&disk, &stop, t] {
      const std::string path = "/d/" + std::to_string(t);
      while (!stop) {
        const auto file = disk.open(path, OpenMode::OpenOrCreate);
        if (!file) continue;
        static_cast<void>((*file)->write_at(ByteOffset{0}, sectors(3, 'x')).has_value());
        const auto mapping = (*file)->map_writable(sizeof(std::uint64_t));
        std::string bytes(8, '?');
        for (std::uint64_t i = 0; mapping && i < 20; ++i) {
          std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>((*mapping)->writable())).store(i);
          static_cast<void>((*mapping)->copy_out(ByteOffset{0}, bytes).has_value());
        }
        static_cast<void>((*file)->sync_data().has_value());
        static_cast<void>(disk.sync_directory("/d").has_value());
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    std::this_thread::yield();
    if (i % 2 == 0) disk.crash();
    if (i % 2 == 1) disk.kill();
  }
  stop = true;
  threads.clear();
  CHECK(disk.list("/d"));
}

}  // namespace
}  // namespace stele
