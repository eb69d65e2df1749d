#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/deliveries/delivery_journal.h"
#include "tests/support/fake_clock.h"
#include "tests/support/one_thread.h"
#include "tests/support/simulated_file_system.h"

namespace stele {
namespace {

const SubscriptionKey kFirst{3};
const SubscriptionKey kSecond{8};

struct Folder {
  SimulatedFileSystem disk{1};
  test::FakeClock clock;
  DeliveryJournalOptions options;

  Folder() {
    options.file_system = &disk;
    options.clock = &clock;
    options.folder = "/data/deliveries";
    options.store_id = Uuid{{4}};
    options.background = false;
  }
  std::unique_ptr<DeliveryJournal> open() {
    auto opened = DeliveryJournal::open(options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    return std::move(opened).value();
  }
  std::string file() { return options.folder + "/" + disk.list(options.folder)->back(); }
};

std::vector<DeliveryStep> decided(std::uint64_t number) {
  return {BatchDecided{BatchNumber{number}, {Position{number}}}};
}

}  // namespace

TEST_CASE("DeliveryJournal.StatesComeBack") {
  Folder folder;
  auto journal = folder.open();
  CHECK(journal->states().empty());
  journal->append(kFirst, {DeliveryBegun{1, Position{9}, {}}, BatchDecided{BatchNumber{1}, {Position{9}}}});
  journal->append(kSecond, decided(1));
  journal->append(kFirst, {BatchSettled{BatchNumber{1}, {Position{9}}}});
  journal->forget(kSecond);
  const auto states = journal->states();
  CHECK(states.size() == 1);
  folder.disk.cut_power();
  journal.reset();
  folder.disk.crash();
  journal = folder.open();
  CHECK(journal->states() == states);
  CHECK(journal->notes().empty());
}

TEST_CASE("DeliveryJournal.AFileThatHasGrownIsWrittenAnew") {
  Folder folder;
  folder.options.rewrite_bytes_min = 2'000;
  auto journal = folder.open();
  for (std::uint64_t i = 1; i <= 500; ++i) {
    journal->append(kFirst, decided(i));
    journal->append(kFirst, {BatchSettled{BatchNumber{i}, {Position{i}}}, DeliveryAdvanced{Position{i + 1}, {}}});
    CHECK(journal->metrics().file_bytes <= 2'000);
  }
  CHECK(journal->metrics().rewrites > 10);
  CHECK(folder.disk.list(folder.options.folder)->size() == 1);
  journal.reset();
  CHECK(folder.open()->states().at(kFirst).end == Position{501});
}

TEST_CASE("DeliveryJournal.WhatCannotBeWrittenIsSaidAndWrittenLater") {
  Folder folder;
  auto journal = folder.open();
  folder.disk.fail_with_probability(SimulatedCall::Sync, 1, SimulatedFailure::Io);
  Status told;
  journal->append(kFirst, decided(1), [&](const Status& status) { told = status; });
  CHECK_FALSE(told);
  CHECK(journal->states().contains(kFirst));
  folder.disk.stop_failing();
  journal->append(kSecond, decided(1), [&](const Status& status) { told = status; });
  CHECK(told);
  folder.disk.cut_power();
  journal.reset();
  folder.disk.crash();
  CHECK(folder.open()->states().size() == 2);
}

TEST_CASE("DeliveryJournal.AnyNumberOfSettledEventsComesBack" * tests::one_thread()) {
  Folder folder;
  auto journal = folder.open();
  journal->append(kSecond, decided(1));
  std::vector<DeliveryStep> steps;
  for (std::uint64_t piece = 0; piece < 3; ++piece) {
    EventsSettled settled;
    for (std::uint64_t i = 0; i < 500'000; ++i) settled.positions.emplace_back(1 + piece * 500'000 + i);
    steps.emplace_back(std::move(settled));
  }
  journal->append(kFirst, steps);
  const auto states = journal->states();
  for (int i = 0; i < 2; ++i) {
    journal.reset();
    journal = folder.open();
    CHECK(journal->notes().empty());
    REQUIRE(journal->states() == states);
  }
}

TEST_CASE("DeliveryJournal.StepsThatFitNoFrameAreKeptTogetherAllTheSame" * tests::one_thread()) {
  Folder folder;
  auto journal = folder.open();
  const std::uint64_t rewrites = journal->metrics().rewrites;
  std::vector<Position> positions;
  for (std::uint64_t i = 1; i <= kDeliveryPositionsMax; ++i) positions.emplace_back(i);
  std::vector<DeliveryStep> steps(8, EventsSettled{positions});
  steps.emplace_back(DeliveryAdvanced{Position{kDeliveryPositionsMax}, Timestamp{4}});
  Status told = Error{.kind = ErrorKind::Closed, .message = "not called"};
  journal->append(kFirst, steps, [&](const Status& status) { told = status; });
  CHECK(told);
  CHECK(journal->metrics().rewrites == rewrites + 1);
  journal->append(kFirst, decided(1));
  const auto states = journal->states();
  folder.disk.cut_power();
  journal.reset();
  folder.disk.crash();
  journal = folder.open();
  CHECK(journal->notes().empty());
  CHECK(journal->states() == states);
}

TEST_CASE("DeliveryJournal.AFileThatCannotBeReadIsNotLost") {
  Folder folder;
  auto journal = folder.open();
  journal->append(kFirst, decided(1));
  const auto states = journal->states();
  REQUIRE(journal->close());
  journal.reset();
  const std::string file = folder.file();
  for (const SimulatedCall call : {SimulatedCall::Open, SimulatedCall::Read, SimulatedCall::Lookup}) {
    for (std::uint64_t nth = 1; nth <= 2; ++nth) {
      if (call != SimulatedCall::Lookup && nth > 1) continue;  // the first: of the list
      folder.disk.fail_call(call, nth, SimulatedFailure::Io);
      const auto opened = DeliveryJournal::open(folder.options);
      REQUIRE_FALSE(opened);
      CHECK(opened.error().kind == ErrorKind::Io);
      folder.disk.stop_failing();
      CHECK(folder.file() == file);
    }
  }
  journal = folder.open();
  CHECK(journal->states() == states);
}

TEST_CASE("DeliveryJournal.OneSyncIsForAllThatWait") {
  Folder folder;
  folder.options.background = true;
  auto journal = folder.open();
  const std::uint64_t before = journal->metrics().syncs;
  for (std::uint64_t i = 1; i <= 1'000; ++i) journal->append(kFirst, decided(i));
  CHECK(journal->flush());
  CHECK(journal->metrics().syncs - before < 1'000);
  CHECK(journal->close());
  Status told;
  journal->append(kFirst, decided(1'001), [&](const Status& status) { told = status; });
  REQUIRE_FALSE(told);
  CHECK(told.error().kind == ErrorKind::Closed);
  folder.options.background = false;
  CHECK(folder.open()->states().at(kFirst).batches.size() == 1'000);
}

TEST_CASE("DeliveryJournal.ZerosBehindTheFramesAreNone") {
  Folder folder;
  folder.options.zeros_ahead = 1'000;
  auto journal = folder.open();
  std::size_t sizes = 0;
  std::size_t size_before = 0;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    journal->append(kFirst, decided(i));
    const std::string bytes = *folder.disk.live_contents(folder.file());
    const std::size_t held = journal->metrics().file_bytes;
    REQUIRE(bytes.size() >= held);
    CHECK(bytes.find_first_not_of('\0', held) == std::string::npos);
    sizes += bytes.size() != size_before ? 1 : 0;
    size_before = bytes.size();
  }
  CHECK(sizes < 50);
  const auto states = journal->states();
  folder.disk.cut_power();
  journal.reset();
  folder.disk.crash();
  journal = folder.open();
  CHECK(journal->states() == states);
  CHECK(journal->notes().empty());
}

TEST_CASE("DeliveryJournal.AnotherStoresIsRefusedAndANewerOneToo") {
  Folder folder;
  folder.open();
  folder.options.store_id = Uuid{{5}};
  const auto foreign = DeliveryJournal::open(folder.options);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().kind == ErrorKind::Foreign);

  Folder other;
  std::string header = "STELEDLV";
  put<std::uint32_t>(header, 2);
  put<std::uint32_t>(header, 0);
  header += as_bytes(other.options.store_id);
  put<std::uint64_t>(header, 9);
  put<std::uint64_t>(header, xxh3(header));
  REQUIRE(other.disk.create_folders(other.options.folder));
  auto file = other.disk.open(other.options.folder + "/0000000000000009.journal", OpenMode::CreateNew);
  REQUIRE(file);
  REQUIRE((*file)->write_at(ByteOffset{0}, header));
  const auto newer = DeliveryJournal::open(other.options);
  REQUIRE_FALSE(newer);
  CHECK(newer.error().kind == ErrorKind::NewerFormat);
  CHECK(other.disk.list(other.options.folder)->size() == 1);
}

TEST_CASE("DeliveryJournal.NoDamageMakesUpAState") {
  Folder folder;
  folder.options.zeros_ahead = 100;
  std::vector<DeliveryState> states{DeliveryState{}};
  auto journal = folder.open();
  for (std::uint64_t i = 1; i <= 8; ++i) {
    journal->append(kFirst, decided(i));
    states.push_back(journal->states().at(kFirst));
  }
  journal.reset();
  const std::string path = folder.file();
  const std::string good = *folder.disk.live_contents(path);
  std::size_t usable = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    Folder damaged;
    REQUIRE(damaged.disk.create_folders(damaged.options.folder));
    auto file = damaged.disk.open(path, OpenMode::CreateNew);
    REQUIRE(file);
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
    REQUIRE((*file)->write_at(ByteOffset{0}, bytes));
    const auto opened = DeliveryJournal::open(damaged.options);
    if (!opened) continue;
    const auto found = (*opened)->states();
    if (found.empty()) continue;
    ++usable;
    const DeliveryState& state = found.at(kFirst);
    CHECK(std::find(states.begin(), states.end(), state) != states.end());
  }
  CHECK(usable > good.size() / 2);
}

TEST_CASE("DeliveryJournal.OnlyFilesThatItIsFor") {
  Folder folder;
  REQUIRE(folder.disk.create_folders(folder.options.folder));
  for (const char* name : {"notes.txt", "1.journal", "00000000000000zz.journal"}) {
    REQUIRE(folder.disk.open(folder.options.folder + "/" + name, OpenMode::CreateNew));
  }
  folder.open();
  CHECK(folder.disk.list(folder.options.folder)->size() == 4);
}

TEST_CASE("DeliveryJournal.NothingIsWrittenToAFolderThatIsAnotherByNow") {
  Folder folder;
  bool moved = false;
  folder.options.in_place = [&] {
    return moved ? Status(Error{.kind = ErrorKind::Displaced, .message = "moved"}) : Status();
  };
  folder.options.rewrite_bytes_min = 200;
  auto journal = folder.open();
  moved = true;
  Status told;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    journal->append(kFirst, decided(i), [&](const Status& status) { told = status; });
  }
  CHECK_FALSE(told);
  CHECK(folder.disk.list(folder.options.folder)->size() == 1);
}

}  // namespace stele
