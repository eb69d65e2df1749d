// The bytes of a snapshot file.

#include <doctest/doctest.h>

#include "engine/base/digest.h"
#include "engine/snapshots/snapshot_file.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/sample_log.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

using namespace stele;
using stele::test::TempFolder;

namespace {

struct Sample {
  std::string aggregate;
  std::string name;
  std::vector<std::pair<std::uint64_t, std::string>> states;  // greatest sequence number first
};

/// In the order of their keys.
const std::vector<Sample> kSamples = {
    {"ship", "last", {{2, R"({"name":"Beagle"})"}}},
    {"mission/1", "merge", {{200, R"({"name":"Apollo 11","landed":true})"}, {100, R"({"name":"Apollo 11"})"}}},
};
constexpr std::string_view kDeleted = "mission/0";
constexpr SnapshotFileName kName{3, 5, true};

}  // namespace

TEST_CASE("GoldenSnapshotFile.WritingGivesTheGoldenBytes") {
  const TempFolder folder;
  auto writer = SnapshotFileWriter::create(posix_file_system(), folder.path(), {3, 5}, kSampleStore, 3, nullptr);
  REQUIRE(writer);
  for (const Sample& sample : kSamples) {
    if (sample.aggregate == "mission/1") REQUIRE((*writer)->add_deletion(deletion_key(kDeleted)));
    StoredStates states;
    for (const auto& [sequence, state] : sample.states) {
      states.push_back({.sequence = SequenceNumber{sequence},
                        .fingerprint = sha256({sample.name}),
                        .time = kSampleTime,
                        .keep = 2,
                        .offset = (*writer)->offset(),
                        .bytes = state.size(),
                        .checksum = xxh3(state)});
      REQUIRE((*writer)->append(state));
    }
    REQUIRE((*writer)->add_states(states_key(sample.aggregate, sample.name), states));
  }
  const auto name = (*writer)->finish();
  REQUIRE(name);
  CHECK(*name == kName);
  check_golden("snapshot-file.snap", tests::read_file(folder.file(name->temporary())));
}

TEST_CASE("GoldenSnapshotFile.ReadingGivesItsStates") {
  const TempFolder folder;
  const std::string path = folder.file(kName.text());
  tests::write_file(path, golden_bytes("snapshot-file.snap"));
  const auto file = SnapshotFile::open(posix_file_system(), path, kName, kSampleStore);
  REQUIRE(file);
  CHECK((*file)->keys() == 3);
  CHECK(*(*file)->deletes(deletion_key(kDeleted)));
  for (const Sample& sample : kSamples) {
    CHECK_FALSE(*(*file)->deletes(deletion_key(sample.aggregate)));
    const auto states = (*file)->find(states_key(sample.aggregate, sample.name));
    REQUIRE(states);
    REQUIRE(states->size() == sample.states.size());
    for (std::size_t i = 0; i < states->size(); ++i) {
      std::string bytes;
      REQUIRE((*file)->read((*states)[i], bytes));
      CHECK(bytes == sample.states[i].second);
      CHECK((*states)[i].sequence == SequenceNumber{sample.states[i].first});
      CHECK((*states)[i].fingerprint == sha256({sample.name}));
      CHECK((*states)[i].time == kSampleTime);
      CHECK((*states)[i].keep == 2);
    }
  }
}
