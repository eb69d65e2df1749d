// The snapshot store as a part of the store.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "engine/store/store.h"
#include "tests/support/eventually.h"
#include "tests/support/forwarding_file_system.h"
#include "tests/support/sample_store.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::test;
using stele::tests::wait_until;
namespace fs = std::filesystem;

namespace {

using Kind = AppendOutcome::Kind;

StoreOptions snapshot_options_in(const std::string& folder) {
  StoreOptions options = sample_options(posix_file_system());
  options.folder = folder;
  return options;
}

Status put(Store& store, std::uint64_t sequence, const std::string& state) {
  return store.snapshots()->put({"a", "fold"}, SequenceNumber{sequence}, sha256({state}), state);
}

std::string latest(Store& store) {
  const auto found = store.snapshots()->latest({"a", "fold"});
  return found ? found->state : "none";
}

std::size_t entries_of(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Fails whatever is made in a folder named `snapshots`, while it is told to.
class NoRoomForSnapshots final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (failing && mode == OpenMode::CreateNew && path.find("/snapshots/") != std::string::npos) {
      return Error{.kind = ErrorKind::DiskFull, .message = "no room", .file = path};
    }
    return ForwardingFileSystem::open(path, mode);
  }
  bool failing = false;
};

}  // namespace

TEST_CASE("StoreSnapshots.OutliveTheStore") {
  SimulatedFileSystem disk(1);
  StoreOptions options = sample_options(disk);
  {
    auto store = Store::open(options).value();
    REQUIRE(store->snapshots() != nullptr);
    REQUIRE(put(*store, 3, "three"));
    CHECK(latest(*store) == "three");
    REQUIRE(store->close());  // writes what is in memory
    CHECK(put(*store, 4, "four").error().kind == ErrorKind::Closed);
    CHECK(latest(*store) == "three");
  }
  auto store = Store::open(options).value();
  CHECK(latest(*store) == "three");
  CHECK(store->health().warnings.empty());
}

TEST_CASE("StoreSnapshots.SettingsAreTheStoresOwn") {
  SimulatedFileSystem disk(1);
  StoreOptions options = sample_options(disk);
  options.snapshots.state_bytes_max = 3;
  options.snapshots.keep = 0;
  CHECK(Store::open(options).error().kind == ErrorKind::InvalidArgument);
  options.snapshots.keep = 1;
  auto store = Store::open(options).value();
  CHECK(put(*store, 1, "four").error().kind == ErrorKind::TooLarge);
}

TEST_CASE("StoreSnapshots.WithoutTheirFolderTheStoreWorks") {
  const TempFolder temp;
  const StoreOptions options = snapshot_options_in(temp.file("data"));
  fs::create_directories(options.folder);
  std::ofstream(options.folder + "/snapshots") << "a file";
  {
    auto store = Store::open(options).value();
    CHECK(store->snapshots() == nullptr);
    append_sample(*store, 20);
    const auto warnings = store->health().warnings;
    REQUIRE(warnings.size() == 1);
    CHECK_MESSAGE(warnings[0].starts_with("there are no snapshots"), warnings[0]);
    CHECK(store->health().writable);
    CHECK(store->close());
  }
  CHECK(fs::file_size(options.folder + "/snapshots") == 6);
  fs::remove(options.folder + "/snapshots");
  auto store = Store::open(options).value();
  REQUIRE(store->snapshots() != nullptr);
  CHECK(store->health().warnings.empty());
}

TEST_CASE("StoreSnapshots.ADeletedFolderCostsTheSnapshotsOnly") {
  const TempFolder temp;
  const StoreOptions options = snapshot_options_in(temp.file("data"));
  {
    auto store = Store::open(options).value();
    append_sample(*store, 20);
    REQUIRE(put(*store, 1, "state"));
    REQUIRE(store->close());
  }
  REQUIRE(entries_of(options.folder + "/snapshots") == 1);
  fs::remove_all(options.folder + "/snapshots");
  auto store = Store::open(options).value();
  CHECK(latest(*store) == "none");
  CHECK(store->health().warnings.empty());
  CHECK(store->recovery().notes.empty());
  CHECK(check_sample(*store, 21).failed == 0);
  REQUIRE(put(*store, 1, "again"));
  REQUIRE(store->snapshots()->flush());
  CHECK(latest(*store) == "again");
}

TEST_CASE("StoreSnapshots.NothingIsWrittenWhereAnotherStoreMayLie") {
  const TempFolder temp;
  const StoreOptions options = snapshot_options_in(temp.file("data"));
  auto store = Store::open(options).value();
  REQUIRE(put(*store, 1, "one"));
  REQUIRE(store->snapshots()->flush());
  REQUIRE(put(*store, 2, "two"));
  REQUIRE(store->snapshots()->flush());
  REQUIRE(put(*store, 3, "three"));
  const std::size_t before = entries_of(options.folder + "/snapshots");
  fs::rename(options.folder, temp.file("gone"));
  // Of the same names as its own: they would be replaced by a merge, or removed after one.
  fs::create_directories(options.folder);
  fs::copy(temp.file("gone/snapshots"), options.folder + "/snapshots");
  CHECK(store->snapshots()->flush().error().kind == ErrorKind::Displaced);
  CHECK(store->snapshots()->remove("a").error().kind == ErrorKind::Displaced);
  CHECK(store->snapshots()->compact().error().kind == ErrorKind::Displaced);
  CHECK(store->close());
  CHECK(entries_of(options.folder) == 1);
  CHECK(entries_of(options.folder + "/snapshots") == before);
  CHECK(entries_of(temp.file("gone/snapshots")) == before);
}

TEST_CASE("StoreSnapshots.AStoreThatIsDisplacedStopsThem") {
  const TempFolder temp;
  StoreOptions options = snapshot_options_in(temp.file("data"));
  options.guard_interval = std::chrono::milliseconds{1};
  options.snapshots.write_bytes_per_second = 1ULL << 30;
  options.snapshots.memory_age_max = std::chrono::milliseconds{1};
  auto store = Store::open(options).value();
  REQUIRE(put(*store, 1, "one"));
  REQUIRE(store->snapshots()->flush());
  fs::rename(options.folder, temp.file("gone"));
  fs::create_directories(options.folder + "/snapshots");
  std::uint64_t sequence = 1;
  wait_until([&] {
    const Status kept = put(*store, ++sequence, "more");
    return !kept && kept.error().kind == ErrorKind::Closed;
  });
  CHECK_FALSE(store->health().writable);
  CHECK(store->close());
  CHECK(entries_of(options.folder + "/snapshots") == 0);
}

TEST_CASE("StoreSnapshots.TheirTroubleKeepsNobodyFromAppending") {
  SimulatedFileSystem disk(1);
  NoRoomForSnapshots files(disk);
  auto store = Store::open(sample_options(files)).value();
  files.failing = true;
  REQUIRE(put(*store, 1, "one"));
  CHECK(store->snapshots()->flush().error().kind == ErrorKind::DiskFull);
  append_sample(*store, 100);
  const StoreHealth health = store->health();
  CHECK(health.writable);
  REQUIRE(health.warnings.size() == 1);
  CHECK_MESSAGE(health.warnings[0].starts_with("snapshots cannot be written"), health.warnings[0]);
  files.failing = false;
  CHECK(store->snapshots()->flush());
  CHECK(store->health().warnings.empty());
  files.failing = true;
  REQUIRE(put(*store, 2, "two"));
  CHECK(store->close());
}
