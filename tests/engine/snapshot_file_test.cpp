// Keys, entries and names of snapshot files, which files of a folder count, and files of arbitrary bytes.

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/snapshots/snapshot_compaction.h"
#include "engine/snapshots/snapshot_file.h"
#include "engine/snapshots/snapshot_folder.h"
#include "tests/support/one_thread.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/snapshot_ledger.h"

using namespace stele;

namespace {

const Uuid kStore{{7, 7, 7}};
const std::string kFolder = "/s";

std::string name(std::uint64_t low, std::uint64_t high, bool deletions = false) {
  return SnapshotFileName{low, high, deletions}.text();
}

std::vector<std::string> texts(const std::vector<SnapshotFileName>& names) {
  std::vector<std::string> result;
  for (const auto& each : names) result.push_back(each.text());
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("SnapshotKey.KeysOfAnAggregateAreThoseWithItsPrefix") {
  for (const auto& [id, fold] : test::snapshot_sample_keys()) {
    for (const auto& [other_id, other_fold] : test::snapshot_sample_keys()) {
      CHECK(states_key(other_id, other_fold).starts_with(deletion_key(id)) == (id == other_id));
      CHECK((states_key(other_id, other_fold) == states_key(id, fold)) == (id == other_id && fold == other_fold));
    }
    CHECK(deletion_key(id) < states_key(id, fold));
    const std::string key = states_key(id, fold);
    const auto split = split_key(key);
    REQUIRE(split);
    CHECK(split->deletion_key == deletion_key(id));
    CHECK(split->name == fold);
    const std::string deletion = deletion_key(id);
    CHECK(split_key(deletion)->name.empty());
  }
  CHECK_FALSE(split_key(""));
  CHECK_FALSE(split_key(std::string("\0name", 5)));
  CHECK_FALSE(
      split_key("\x05"
                "four"));
  CHECK_FALSE(split_key("\x01" + std::string(257, 'x')));
}

TEST_CASE("SnapshotFileName.IsReadBackAndNothingElseIsOne") {
  for (const bool deletions : {false, true}) {
    const SnapshotFileName given{3, 12345, deletions};
    CHECK(SnapshotFileName::parse(given.text()) == given);
  }
  CHECK(name(3, 17) == "0000000000000003-0000000000000017.snap");
  CHECK(name(3, 17, true) == "0000000000000003-0000000000000017.del.snap");
  CHECK(SnapshotFileName{3, 17, true}.temporary() == "0000000000000003-0000000000000017.snap.tmp");
  for (const char* other : {"", "x", "0000000000000003-0000000000000017", "0000000000000003-0000000000000017.snap.tmp",
                            "0000000000000003-0000000000000002.snap", "0000000000000000-0000000000000002.snap",
                            "000000000000003-00000000000000017.snap", "000000000000000a-0000000000000017.snap",
                            "9999999999999999-9999999999999999.snap"}) {
    CHECK_FALSE(SnapshotFileName::parse(other));
  }
}

TEST_CASE("SnapshotFolder.FilesCountByTheirNumbers") {
  const auto plan = [](Names entries) {
    std::mt19937 random(1);
    std::shuffle(entries.begin(), entries.end(), random);
    return plan_snapshot_folder(entries);
  };
  CHECK(plan({}).next == 1);
  const auto whole =
      plan({name(1, 4), name(5, 5, true), name(6, 9), "README", "0000000000000001-0000000000000002.bak"});
  CHECK(texts(whole.files) == Names{name(1, 4), name(5, 5, true), name(6, 9)});
  CHECK(whole.leftovers.empty());
  CHECK(whole.dropped.empty());
  CHECK(whole.next == 10);
  // A merge was interrupted: before its file had its name, and after.
  const auto before = plan({name(1, 4), name(5, 5), name(6, 6), name(5, 6) + ".tmp"});
  CHECK(texts(before.files) == Names{name(1, 4), name(5, 5), name(6, 6)});
  CHECK(before.leftovers == Names{name(5, 6) + ".tmp"});
  const auto behind = plan({name(1, 4), name(5, 5), name(6, 6), name(5, 6)});
  CHECK(texts(behind.files) == Names{name(1, 4), name(5, 6)});
  CHECK(behind.leftovers == Names{name(6, 6), name(5, 5)});
  const auto all = plan({name(1, 4), name(5, 5), name(6, 6), name(1, 6)});
  CHECK(texts(all.files) == Names{name(1, 6)});
  CHECK(all.leftovers.size() == 3);
  const auto same = plan({name(1, 4), name(1, 4, true), name(5, 5)});
  CHECK(texts(same.files) == Names{name(1, 4, true), name(5, 5)});
  CHECK(same.leftovers == Names{name(1, 4)});
  // The oldest need not begin at 1; in the middle nothing may be missing.
  CHECK(texts(plan({name(5, 6), name(7, 7)}).files) == Names{name(5, 6), name(7, 7)});
  const auto gap = plan({name(1, 4), name(6, 6), name(7, 8)});
  CHECK(texts(gap.files) == Names{name(6, 6), name(7, 8)});
  CHECK(gap.dropped == Names{name(1, 4)});
  const auto crossing = plan({name(1, 2), name(3, 6), name(5, 8)});
  CHECK(texts(crossing.files) == Names{name(5, 8)});
  CHECK(crossing.dropped == Names{name(3, 6), name(1, 2)});
}

TEST_CASE("SnapshotEntry.StatesAreReadBackAndNonsenseIsRefused") {
  StoredStates states;
  for (std::uint64_t i = kSnapshotKeepMax; i > 0; --i) {
    states.push_back({.sequence = SequenceNumber{~0ULL - 100 + i},
                      .fingerprint = sha256({"x"}),
                      .time = Timestamp{-5},
                      .keep = kSnapshotKeepMax,
                      .offset = ~0ULL - i,
                      .bytes = ~0ULL,
                      .checksum = i});
  }
  const std::string value = encode_states(states);
  CHECK(value.size() <= kTableValueBytesMax);
  const auto back = decode_states(value);
  REQUIRE(back);
  REQUIRE(back->size() == states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    CHECK((*back)[i].sequence == states[i].sequence);
    CHECK((*back)[i].fingerprint == states[i].fingerprint);
    CHECK((*back)[i].time == states[i].time);
    CHECK((*back)[i].keep == states[i].keep);
    CHECK((*back)[i].offset == states[i].offset);
    CHECK((*back)[i].bytes == states[i].bytes);
    CHECK((*back)[i].checksum == states[i].checksum);
  }
  CHECK_FALSE(decode_states(""));
  const std::size_t each = value.size() / states.size();
  for (std::size_t cut = 1; cut < value.size(); ++cut) {
    CHECK(decode_states(std::string_view(value).substr(0, cut)).has_value() == (cut % each == 0));
  }
  const auto refuses = [&](auto change) {
    StoredStates bad(states.begin(), states.begin() + 2);
    change(bad);
    return !decode_states(encode_states(bad));
  };
  CHECK_FALSE(refuses([](StoredStates&) {}));
  CHECK(refuses([](StoredStates& bad) { std::swap(bad[0], bad[1]); }));
  CHECK(refuses([](StoredStates& bad) { bad[1].sequence = bad[0].sequence; }));
  CHECK(refuses([](StoredStates& bad) { bad[1].sequence = SequenceNumber{}; }));
  CHECK(refuses([](StoredStates& bad) { bad[0].keep = 0; }));
  CHECK(refuses([](StoredStates& bad) { bad[0].keep = kSnapshotKeepMax + 1; }));
  CHECK(refuses([&](StoredStates& bad) {
    bad = states;
    bad.push_back(bad.back());
    bad.back().sequence = SequenceNumber{1};
  }));
}

namespace {

/// Does with a file whatever the store does. Must be safe on any bytes; gives the states whose checksum holds.
std::vector<std::string> use_file(FileSystem& disk, const SnapshotFileName& file_name,
                                  const std::vector<std::string>& ids) {
  std::vector<std::string> states;
  auto file = SnapshotFile::open(disk, kFolder + "/" + file_name.text(), file_name, kStore);
  if (!file) return states;
  std::string state;
  for (const std::string& id : ids) {
    (void)(*file)->deletes(deletion_key(id));
    const auto found = (*file)->find(states_key(id, "fold"));
    for (std::size_t i = 0; found && i < found->size(); ++i) {
      if ((*file)->read((*found)[i], state)) states.push_back(state);
    }
  }
  // Again as the input of a merge, and what that made of it.
  file = SnapshotFile::open(disk, kFolder + "/" + file_name.text(), file_name, kStore);
  if (!file) return states;
  const SnapshotCompactionContext context{
      .file_system = &disk, .folder = kFolder, .store_id = kStore, .limiter = nullptr};
  const auto merged = compact_snapshot_files(context, {*file}, false);
  if (!merged) return states;
  auto again = SnapshotFile::open(disk, kFolder + "/" + merged->temporary(), *merged, kStore);
  REQUIRE(again);
  for (const std::string& id : ids) {
    const auto found = (*again)->find(states_key(id, "fold"));
    for (std::size_t i = 0; found && i < found->size(); ++i) {
      if ((*again)->read((*found)[i], state)) states.push_back(state);
    }
  }
  return states;
}

void write_whole(FileSystem& disk, const std::string& path, std::string_view bytes) {
  (void)disk.remove(path);
  auto file = disk.open(path, OpenMode::CreateNew);
  REQUIRE(file);
  REQUIRE((*file)->write_at(ByteOffset{0}, bytes));
}

}  // namespace

TEST_CASE("SnapshotFile.ArbitraryBytesAreSafe" * tests::one_thread()) {
  SimulatedFileSystem disk(1);
  REQUIRE(disk.create_folders(kFolder));
  std::vector<std::string> ids;
  std::set<std::string> known;
  auto writer = SnapshotFileWriter::create(disk, kFolder, {1, 1}, kStore, 100, nullptr);
  REQUIRE(writer);
  for (int i = 0; i < 100; ++i) ids.push_back("aggregate " + std::to_string(1000 + i));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i % 10 == 0) REQUIRE((*writer)->add_deletion(deletion_key(ids[i])));
    StoredStates states;
    for (std::uint64_t n = 2; n > 0; --n) {
      const std::string state = "state " + std::to_string(n) + " of " + ids[i];
      known.insert(state);
      states.push_back({.sequence = SequenceNumber{n},
                        .fingerprint = {},
                        .time = {},
                        .keep = 2,
                        .offset = (*writer)->offset(),
                        .bytes = state.size(),
                        .checksum = xxh3(state)});
      REQUIRE((*writer)->append(state));
    }
    REQUIRE((*writer)->add_states(states_key(ids[i], "fold"), states));
  }
  const auto file_name = (*writer)->finish();
  REQUIRE(file_name);
  CHECK(file_name->deletions);
  const std::string path = kFolder + "/" + file_name->text();
  REQUIRE(disk.rename(kFolder + "/" + file_name->temporary(), path));
  const std::string good = *disk.live_contents(path);
  CHECK(use_file(disk, *file_name, ids).size() == 2 * known.size());

  std::mt19937_64 random(3);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  // Nonsense all over, and a file cut or extended anywhere.
  for (int i = 0; i < 300; ++i) {
    std::string bad = good;
    switch (below(3)) {
      case 0:
        bad.resize(below(2 * good.size()));
        break;
      case 1:
        for (int n = 0; n < 20; ++n) bad[below(bad.size())] = static_cast<char>(random());
        break;
      default:
        for (char& c : bad) c = static_cast<char>(random());
    }
    write_whole(disk, path, bad);
    for (const std::string& state : use_file(disk, *file_name, ids)) REQUIRE(known.contains(state));
  }
  // Nonsense whose checksums hold: pages and directory are changed and the file is written anew.
  const std::uint64_t pages = get_at<std::uint64_t>(good.data() + 32);
  const auto directory_bytes = get_at<std::uint32_t>(good.data() + 56);
  std::uint64_t used = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string body = good.substr(kPageBytes, pages * kPageBytes);
    std::string directory = good.substr(72, directory_bytes);
    const std::uint64_t page = below(pages) * kPageBytes;
    switch (below(5)) {
      case 0:
        directory[below(directory.size())] = static_cast<char>(random());
        break;
      case 1:
        for (int n = 0; n < 3; ++n) body[page + below(kPageBytes)] = static_cast<char>(random());
        break;
      case 2:
        for (int n = 0; n < 8; ++n) body[page + kPageBytes - 1 - below(60)] = static_cast<char>(random());
        break;
      case 3:
        std::copy_n(body.begin() + static_cast<std::ptrdiff_t>(below(pages) * kPageBytes), kPageBytes,
                    body.begin() + static_cast<std::ptrdiff_t>(page));
        break;
      default:
        for (std::uint64_t n = 0; n < kPageBytes; ++n) body[page + n] = static_cast<char>(random());
    }
    auto pages_writer = PageFileWriter::create(disk, path, nullptr);
    REQUIRE(pages_writer);
    REQUIRE((*pages_writer)->append(body));
    REQUIRE((*pages_writer)->finish({"STELESNP", 1}, kStore, directory));
    for (const std::string& state : use_file(disk, *file_name, ids)) {
      REQUIRE(known.contains(state));
      ++used;
    }
  }
  CHECK(used > 0);
}
