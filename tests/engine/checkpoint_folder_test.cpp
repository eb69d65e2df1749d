#include "engine/audit/checkpoint_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/simulated_file_system.h"

namespace stele {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;

struct Folder {
  SimulatedFileSystem disk{1};
  NoteSigner signer = *NoteSigner::generate("log", NoteKeyKind::Ed25519);
  NoteSigner witness = *NoteSigner::generate("witness", NoteKeyKind::Cosignature);
  const std::string path = "/data/checkpoints";
  const Uuid store{{7}};

  std::unique_ptr<CheckpointFolder> open() {
    auto opened = CheckpointFolder::open({.file_system = &disk, .folder = path, .store_id = store, .in_place = {}});
    REQUIRE_MESSAGE(opened, opened.error().describe());
    return std::move(*opened);
  }
  SignedNote note(std::uint64_t size) const {
    SignedNote note{.text = format_checkpoint({.origin = "log", .size = size, .root = {}, .extensions = {}}),
                    .signatures = {}};
    sign_note(note, signer);
    return note;
  }
  std::vector<std::uint64_t> sizes() {
    const auto kept = read_checkpoints(disk, path, store);
    REQUIRE(kept);
    CHECK(kept->damage.empty());
    CHECK(kept->notes.empty());
    std::vector<std::uint64_t> all;
    for (const auto& one : kept->all) all.push_back(one.checkpoint.size);
    return all;
  }
};

}  // namespace

TEST_CASE("CheckpointFolder.WhatWasAddedIsThereAfterAPowerCut") {
  Folder folder;
  auto kept = folder.open();
  CHECK_FALSE(kept->newest());
  CHECK(folder.sizes().empty());
  REQUIRE(kept->add(folder.note(3), Timestamp{kSecond}, false));
  REQUIRE(kept->add(folder.note(5), Timestamp{2 * kSecond}, false));
  folder.disk.cut_power();
  CHECK_FALSE(kept->add(folder.note(6), Timestamp{3 * kSecond}, false));
  kept.reset();
  folder.disk.crash();
  kept = folder.open();
  REQUIRE(kept->newest());
  CHECK(kept->newest()->checkpoint.size == 5);
  CHECK(kept->newest()->time == Timestamp{2 * kSecond});
  CHECK(kept->newest()->note == folder.note(5));
  REQUIRE(kept->add(folder.note(9), Timestamp{4 * kSecond}, false));
  CHECK(folder.sizes() == std::vector<std::uint64_t>{3, 5, 9});
}

TEST_CASE("CheckpointFolder.TheSignatureOfAWitnessIsAddedToWhatItHasSigned") {
  Folder folder;
  auto kept = folder.open();
  REQUIRE(kept->add(folder.note(3), Timestamp{kSecond}, false));
  REQUIRE(kept->add(folder.note(4), Timestamp{2 * kSecond}, false));
  SignedNote older = folder.note(3);
  older.signatures.clear();
  sign_note(older, folder.witness, Timestamp{3 * kSecond});
  // In another hour, so that it stands in a file that the one of the greatest size was not written to first.
  REQUIRE(kept->add(older, Timestamp{2 * kHour}, true));
  SignedNote newest = folder.note(4);
  newest.signatures.clear();
  sign_note(newest, folder.witness, Timestamp{3 * kSecond});
  kept = folder.open();
  CHECK(kept->newest()->checkpoint.size == 4);
  CHECK_FALSE(kept->newest()->witnessed);
  REQUIRE(kept->add(newest, Timestamp{2 * kHour}, true));
  CHECK(kept->newest()->note.signatures.size() == 2);
  const auto all = read_checkpoints(folder.disk, folder.path, folder.store);
  REQUIRE(all);
  REQUIRE(all->all.size() == 2);
  for (const auto& one : all->all) {
    CHECK(one.witnessed);
    CHECK(one.note.signatures.size() == 2);
  }
}

TEST_CASE("CheckpointFolder.ADayIsKeptWholeThenOneAnHourAndAllThatWereWitnessed") {
  Folder folder;
  auto kept = folder.open();
  std::uint64_t size = 0;
  for (int hour = 0; hour < 60; ++hour) {
    for (int minute = 0; minute < 60; minute += 10) {
      ++size;
      const bool witnessed = hour == 3 && minute == 10;
      REQUIRE(kept->add(folder.note(size), Timestamp{hour * kHour + minute * 60 * kSecond}, witnessed));
    }
    if (hour % 7 == 0) REQUIRE(kept->thin(Timestamp{hour * kHour + 59 * 60 * kSecond}));
    if (hour % 10 == 9) kept = folder.open();
  }
  for (int i = 0; i < 3; ++i) REQUIRE(kept->thin(Timestamp{60 * kHour}));
  std::vector<std::uint64_t> expected;
  for (std::uint64_t one = 1; one <= size; ++one) {
    const std::uint64_t hour = (one - 1) / 6;
    if (hour >= 36 || one % 6 == 0 || one == 3 * 6 + 2) expected.push_back(one);
  }
  const auto sizes = folder.sizes();
  // The hour that the day begins in may still be there as a whole.
  std::vector<std::uint64_t> without_border;
  for (const auto one : sizes) {
    if ((one - 1) / 6 != 35 || one % 6 == 0) without_border.push_back(one);
  }
  CHECK(without_border == expected);
  CHECK(kept->newest()->checkpoint.size == size);
  CHECK(folder.disk.list(folder.path)->size() <= 30);
}

TEST_CASE("CheckpointFolder.AnInterruptedThinningLosesNothing") {
  for (std::uint64_t call = 1;; ++call) {
    CAPTURE(call);
    Folder folder;
    auto kept = folder.open();
    for (int hour = 0; hour < 4; ++hour) {
      for (std::uint64_t i = 1; i <= 3; ++i) {
        REQUIRE(kept->add(folder.note(static_cast<std::uint64_t>(hour) * 3 + i), Timestamp{hour * kHour}, false));
      }
    }
    folder.disk.cut_power_at_call(call);
    const Status done = kept->thin(Timestamp{100 * kHour});
    kept.reset();
    folder.disk.crash();
    const auto sizes = folder.sizes();
    for (const std::uint64_t needed : {3, 6, 9, 10, 11, 12}) {
      CHECK(std::find(sizes.begin(), sizes.end(), needed) != sizes.end());
    }
    kept = folder.open();
    CHECK(kept->newest()->checkpoint.size == 12);
    REQUIRE(kept->thin(Timestamp{100 * kHour}));
    CHECK(folder.sizes() == std::vector<std::uint64_t>{3, 6, 9, 12});
    if (done) break;
  }
}

TEST_CASE("CheckpointFolder.AFlippedBitIsNotTakenForACheckpoint") {
  Folder folder;
  auto kept = folder.open();
  REQUIRE(kept->add(folder.note(3), Timestamp{kSecond}, false));
  kept.reset();
  const std::string name = folder.path + "/" + folder.disk.list(folder.path)->front();
  auto file = folder.disk.open(name, OpenMode::ReadWrite);
  REQUIRE(file);
  const std::uint64_t size = *(*file)->size();
  for (std::uint64_t at = 0; at < size; ++at) {
    char byte = 0;
    REQUIRE((*file)->read_at(ByteOffset{at}, {&byte, 1}));
    const char flipped = static_cast<char>(byte ^ 0x10);
    REQUIRE((*file)->write_at(ByteOffset{at}, {&flipped, 1}));
    const auto read = read_checkpoints(folder.disk, folder.path, folder.store);
    REQUIRE(read);
    CHECK(read->all.empty());
    CHECK(read->damage.size() + read->notes.size() == 1);
    REQUIRE((*file)->write_at(ByteOffset{at}, {&byte, 1}));
  }
  CHECK(folder.sizes().size() == 1);
}

TEST_CASE("Checkpoint.TextsThatAreNone") {
  const Checkpoint good{.origin = "log", .size = 12, .root = {}, .extensions = {"more"}};
  CHECK(*parse_checkpoint(format_checkpoint(good)) == good);
  const std::string root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  for (const std::string& bad : std::vector<std::string>{
           "", "log\n", "log\n12\n", "\n12\n" + root, "log\n012\n" + root, "log\n-1\n" + root, "log\n12 \n" + root,
           "log\n18446744073709551616\n" + root, "log\n12\nAAAA\n", "log\n12\n" + root + "\n", "log\n12\n" + root + "x",
           "log\n12\n" + root.substr(0, root.size() - 1)}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_checkpoint(bad));
  }
}

}  // namespace stele
