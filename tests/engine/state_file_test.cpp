#include "engine/log/state_file.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/uuid.h"
#include "tests/support/forwarding_file_system.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using stele::test::TempFolder;

namespace {

constexpr std::chrono::minutes kLong{2};

/// The first `torn` reads of what it opens find a version that is odd.
class TornReads final : public stele::test::ForwardingFileSystem {
 public:
  explicit TornReads(int torn) : ForwardingFileSystem(posix_file_system()), torn_(torn) {}

  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    STELE_ASSIGN(std::unique_ptr<File> file, ForwardingFileSystem::open(path, mode));
    return std::unique_ptr<File>(std::make_unique<TornFile>(std::move(file), torn_));
  }

 private:
  class TornFile final : public stele::test::ForwardingFile {
   public:
    TornFile(std::unique_ptr<File> file, int& torn) : ForwardingFile(std::move(file)), torn_(torn) {}
    [[nodiscard]] Status read_at(ByteOffset offset, std::span<char> to) const override {
      STELE_TRY(ForwardingFile::read_at(offset, to));
      if (torn_-- > 0) to[8] = static_cast<char>(to[8] | 1);
      return {};
    }

   private:
    int& torn_;
  };

  int torn_;
};

DurableState state_of(std::uint64_t n) {
  return DurableState{.store_id = *parse_uuid("0192f0c4-8a5e-7c31-9b1a-6f2d3e4c5b6a"),
                      .end = Position{n},
                      .segment = SegmentId{n * 3},
                      .offset = ByteOffset{n * 5},
                      .process_id = static_cast<std::uint32_t>(n * 7),
                      .closed_cleanly = n % 2 == 1};
}

void check_state(const std::optional<DurableState>& got, std::uint64_t n) {
  REQUIRE(got);
  const DurableState wanted = state_of(n);
  CHECK(got->store_id == wanted.store_id);
  CHECK(got->end == wanted.end);
  CHECK(got->segment == wanted.segment);
  CHECK(got->offset == wanted.offset);
  CHECK(got->process_id == wanted.process_id);
  CHECK(got->closed_cleanly == wanted.closed_cleanly);
}

std::string published_bytes(const std::string& path) {
  auto file = posix_file_system().open(path, OpenMode::Read);
  REQUIRE(file);
  std::string bytes(80, '\0');
  REQUIRE((*file)->read_at(ByteOffset{0}, {bytes.data(), bytes.size()}));
  return bytes;
}

void replace(const std::string& path, std::string_view bytes) {
  (void)posix_file_system().remove(path);
  auto file = posix_file_system().open(path, OpenMode::CreateNew);
  REQUIRE(file);
  REQUIRE((*file)->write_at(ByteOffset{0}, bytes));
}

}  // namespace

TEST_CASE("StateFile.APublicationThatIsUnderWayIsWaitedForWhereAServerIs") {
  const TempFolder folder;
  const std::string path = folder.path() + "/state";
  auto file = StateFile::open(posix_file_system(), path);
  REQUIRE(file);
  (*file)->publish(state_of(3));
  // As many reads as hardly take a millisecond, and as a thread that waits for its processor easily misses.
  constexpr int kTorn = 120;
  TornReads held(kTorn);
  check_state(read_state(held, path, kLong), 3);
  TornReads died(kTorn);
  CHECK_FALSE(read_state(died, path));
}

TEST_CASE("StateFile.TheLastPublishedStateIsRead") {
  const TempFolder folder;
  const std::string path = folder.path() + "/state";
  auto file = StateFile::open(posix_file_system(), path);
  REQUIRE(file);
  for (const std::uint64_t n : {1, 2, 1'000'000}) {
    (*file)->publish(state_of(n));
    check_state(read_state(posix_file_system(), path), n);
  }
  file = StateFile::open(posix_file_system(), path);  // another process goes on with the file of an earlier one
  REQUIRE(file);
  check_state(read_state(posix_file_system(), path), 1'000'000);
  (*file)->publish(state_of(5));
  check_state(read_state(posix_file_system(), path), 5);
}

TEST_CASE("StateFile.NoFileAnEmptyOneAndZerosSayNothing") {
  const TempFolder folder;
  const std::string path = folder.path() + "/state";
  CHECK_FALSE(read_state(posix_file_system(), path));
  replace(path, "");
  CHECK_FALSE(read_state(posix_file_system(), path));
  replace(path, std::string(4096, '\0'));
  CHECK_FALSE(read_state(posix_file_system(), path));
}

TEST_CASE("StateFile.TruncatedOrChangedContentSaysNothing") {
  const TempFolder folder;
  const std::string path = folder.path() + "/state";
  {
    auto file = StateFile::open(posix_file_system(), path);
    REQUIRE(file);
    (*file)->publish(state_of(77));
  }
  const std::string bytes = published_bytes(path);
  replace(path, bytes);
  check_state(read_state(posix_file_system(), path), 77);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    replace(path, std::string_view(bytes).substr(0, size));
    CHECK_FALSE(read_state(posix_file_system(), path));
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    CAPTURE(at);
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    replace(path, changed);
    CHECK_FALSE(read_state(posix_file_system(), path));
  }
}

TEST_CASE("StateFile.ReadersBesideAWriterSeeWholeStatesInOrder") {
  const TempFolder folder;
  const std::string path = folder.path() + "/state";
  auto file = StateFile::open(posix_file_system(), path);
  REQUIRE(file);
  (*file)->publish(state_of(1));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t n = 2; !stop.load(); ++n) (*file)->publish(state_of(n));
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 2000; ++i) {
    // Under a writer that never pauses every try may fail; what is read must be whole.
    const auto state = read_state(posix_file_system(), path);
    if (!state) continue;
    check_state(state, state->end.value());
    CHECK(state->end.value() >= last);
    last = state->end.value();
  }
  stop.store(true);
  writer.join();
  CHECK(read_state(posix_file_system(), path));
}
