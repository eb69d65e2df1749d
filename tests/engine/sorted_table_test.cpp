// Page files and the sorted tables in them.

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "engine/table/sorted_table.h"
#include "engine/table/varint.h"
#include "tests/support/one_thread.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;

namespace {

constexpr PageFileKind kKind{"STELETST", 1};
const Uuid kTableStore{{1, 2, 3}};

std::unique_ptr<SimulatedFileSystem> make_disk() {
  auto disk = std::make_unique<SimulatedFileSystem>(1);
  REQUIRE(disk->create_folders("/t"));
  return disk;
}

std::string write_table(FileSystem& disk, const std::map<std::string, std::string>& entries, std::uint64_t keys_max,
                        std::uint64_t filter_bytes_max = kFilterBytesMax) {
  auto writer = PageFileWriter::create(disk, "/t/table", nullptr);
  REQUIRE(writer);
  TableWriter table(**writer, 7, keys_max, filter_bytes_max);
  for (const auto& [key, value] : entries) REQUIRE(table.add(key, value));
  const auto root = table.finish();
  REQUIRE(root);
  std::string directory;
  root->encode(directory);
  REQUIRE((*writer)->finish(kKind, kTableStore, directory));
  return directory;
}

std::string write_table(FileSystem& disk, const std::map<std::string, std::string>& entries) {
  return write_table(disk, entries, entries.size() * 4);
}

struct OpenTable {
  std::unique_ptr<PageFile> file;
  Table table;
};

OpenTable open_table(FileSystem& disk) {
  auto file = PageFile::open(disk, "/t/table", kKind, kTableStore);
  REQUIRE_MESSAGE(file, (file ? "" : file.error().describe()));
  std::string_view directory = (*file)->directory();
  TableRoot root;
  REQUIRE(TableRoot::decode(directory, root));
  OpenTable open{std::move(*file), {}};
  open.table = Table(*open.file, root, 7);
  return open;
}

std::map<std::string, std::string> sample(std::size_t keys, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::map<std::string, std::string> entries;
  while (entries.size() < keys) {
    std::string key = "mission-" + std::to_string(random() % (keys * 10));
    if (random() % 3 == 0) key.assign(1 + random() % 200, static_cast<char>('a' + random() % 26));
    if (random() % 3 == 0) key += std::string("\0x", 2) + std::to_string(random());
    entries[key] = std::string(random() % (random() % 10 == 0 ? 600 : 20), static_cast<char>(random()));
  }
  return entries;
}

}  // namespace

TEST_CASE("Varint.GivesBackWhatWasPut") {
  for (const std::uint64_t value : {0ULL, 1ULL, 127ULL, 128ULL, 16383ULL, 16384ULL, 1ULL << 35, ~0ULL}) {
    std::string bytes;
    put_varint(bytes, value);
    std::string_view rest = bytes;
    std::uint64_t back = 1;
    CHECK(take_varint(rest, back));
    CHECK(back == value);
    CHECK(rest.empty());
    bytes.pop_back();
    rest = bytes;
    CHECK_FALSE(take_varint(rest, back));
  }
}

TEST_CASE("SortedTable.FindsEveryKeyAndNoOther") {
  for (const std::size_t keys : {0, 1, 2, 15, 16, 17, 300, 5000}) {
    CAPTURE(keys);
    const auto disk = make_disk();
    const auto entries = sample(keys, keys);
    write_table(*disk, entries);
    const OpenTable open = open_table(*disk);
    CHECK(open.table.root().keys == keys);
    for (const auto& [key, value] : entries) {
      const auto found = open.table.find(key);
      REQUIRE(found);
      REQUIRE(*found == value);
      REQUIRE(*open.table.may_contain(key));
    }
    int maybe = 0;
    for (int i = 0; i < 2000; ++i) {
      const std::string other = "mission-" + std::to_string(i) + "?";
      REQUIRE(*open.table.find(other) == std::nullopt);
      maybe += *open.table.may_contain(other) ? 1 : 0;
    }
    CHECK(maybe < 100);
  }
}

TEST_CASE("SortedTable.AFilterMadeInStretchesIsTheSame") {
  struct Case {
    std::size_t keys;
    std::uint64_t filter_bytes_max;
  };
  // Some keys are read back from the file, some from pages that are not written yet.
  for (const auto& [keys, filter_bytes_max] : {Case{300, 0}, Case{300, 96}, Case{20'000, 4096}}) {
    CAPTURE(keys);
    const auto entries = sample(keys, keys);
    const auto disk = make_disk();
    write_table(*disk, entries, keys);
    const std::string whole = *disk->live_contents("/t/table");
    write_table(*disk, entries, keys * 3, filter_bytes_max);
    CHECK(*disk->live_contents("/t/table") == whole);
  }
}

TEST_CASE("SortedTable.APageThatDoesNotComeBackEndsTheTable") {
  const auto disk = make_disk();
  auto writer = PageFileWriter::create(*disk, "/t/table", nullptr);
  REQUIRE(writer);
  TableWriter table(**writer, 7, 100'000, 4096);
  for (const auto& [key, value] : sample(20'000, 1)) REQUIRE(table.add(key, value));
  // Behind its back, and far enough in front that it was written.
  REQUIRE((*disk->open("/t/table", OpenMode::ReadWrite))->write_at(ByteOffset{kPageBytes + 100}, "damage"));
  const auto root = table.finish();
  REQUIRE_FALSE(root);
  CHECK(root.error().kind == ErrorKind::Corrupt);
}

TEST_CASE("SortedTable.CursorRunsThroughTheEntriesFromAnyKey") {
  for (const std::size_t keys : {0, 1, 17, 5000}) {
    const auto disk = make_disk();
    const auto entries = sample(keys, keys + 1);
    write_table(*disk, entries);
    const OpenTable open = open_table(*disk);
    Table::Cursor cursor(open.table);
    REQUIRE(cursor.seek(""));
    for (const auto& [key, value] : entries) {
      REQUIRE(cursor.valid());
      REQUIRE(cursor.key() == key);
      REQUIRE(cursor.value() == value);
      REQUIRE(cursor.next());
    }
    CHECK_FALSE(cursor.valid());
    for (int i = 0; i < 200; ++i) {
      const std::string from = "mission-" + std::to_string(i * 251);
      Table::Cursor at(open.table);
      REQUIRE(at.seek(from));
      const auto expected = entries.lower_bound(from);
      REQUIRE(at.valid() == (expected != entries.end()));
      if (at.valid()) REQUIRE(at.key() == expected->first);
    }
    REQUIRE(cursor.seek("\xff\xff"));
    CHECK_FALSE(cursor.valid());
  }
}

TEST_CASE("SortedTable.CursorGivesNoKeyBeforeTheOneAskedFor") {
  const auto disk = make_disk();
  auto writer = PageFileWriter::create(*disk, "/t/table", nullptr);
  REQUIRE(writer);
  TablePageBuilder leaf, root;
  const auto flush = [&](const std::string& key_in_root) {
    std::string child;
    put_varint(child, (*writer)->offset() / kPageBytes);
    REQUIRE(root.add(key_in_root, child));
    REQUIRE((*writer)->append(leaf.finish()));
  };
  REQUIRE(leaf.add("a", {}));
  flush("a");
  REQUIRE(leaf.add("b", {}));
  REQUIRE(leaf.add("bc", {}));
  flush("r");  // not what the leaf begins with
  std::string directory;
  TableRoot{.keys = 3, .root_page = (*writer)->offset() / kPageBytes, .height = 2, .first_key = "a", .last_key = "bc"}
      .encode(directory);
  REQUIRE((*writer)->append(root.finish()));
  REQUIRE((*writer)->finish(kKind, kTableStore, directory));

  const OpenTable open = open_table(*disk);
  Table::Cursor cursor(open.table);
  REQUIRE(cursor.seek("aa"));
  REQUIRE(cursor.valid());
  CHECK(cursor.key() == "b");
  CHECK_FALSE(open.file->damaged());
  for (const std::string sought : {"bc", "c"}) {
    CAPTURE(sought);
    const Status moved = cursor.seek(sought);
    REQUIRE_FALSE(moved);
    CHECK(moved.error().kind == ErrorKind::Corrupt);
    CHECK_FALSE(cursor.valid());
    CHECK(open.file->damaged());
  }
}

TEST_CASE("PageFile.AFlippedBitIsFoundOrHarmless" * tests::one_thread()) {
  const auto disk = make_disk();
  const auto entries = sample(600, 3);
  write_table(*disk, entries);
  const std::string good = *disk->live_contents("/t/table");
  std::uint64_t found = 0;
  for (std::size_t byte = 0; byte < good.size(); byte += 1 + byte % 41) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 8)));
    auto file = disk->open("/t/table", OpenMode::ReadWrite);
    REQUIRE((*file)->write_at(ByteOffset{byte}, std::string_view(bad).substr(byte, 1)));
    auto opened = PageFile::open(*disk, "/t/table", kKind, kTableStore);
    bool damage = !opened;
    if (opened) {
      std::string_view directory = (*opened)->directory();
      TableRoot root;
      REQUIRE(TableRoot::decode(directory, root));
      const Table table(**opened, root, 7);
      for (const auto& [key, value] : entries) {
        const auto got = table.find(key);
        if (!got) {
          damage = true;
          break;
        }
        REQUIRE(*got == value);
      }
      for (std::uint64_t page = 0; page < (*opened)->page_count(); ++page) {
        if (!(*opened)->scrub_page(page)) damage = true;
      }
      CHECK((*opened)->damaged() == damage);
    }
    found += damage ? 1 : 0;
    REQUIRE_MESSAGE(damage, "byte " << byte << " of " << good.size());
    REQUIRE((*file)->write_at(ByteOffset{byte}, std::string_view(good).substr(byte, 1)));
  }
  CHECK(found > 0);
}

TEST_CASE("PageFile.AnotherKindAnotherStoreOrACutFileIsRefused") {
  const auto disk = make_disk();
  write_table(*disk, sample(100, 5));
  CHECK(PageFile::open(*disk, "/t/table", PageFileKind{"STELEOTH", 1}, kTableStore).error().kind == ErrorKind::Foreign);
  CHECK(PageFile::open(*disk, "/t/table", kKind, Uuid{}).error().kind == ErrorKind::Foreign);
  CHECK(PageFile::open(*disk, "/t/table", PageFileKind{"STELETST", 0}, kTableStore).error().kind ==
        ErrorKind::NewerFormat);
  CHECK(PageFile::open(*disk, "/t/none", kKind, kTableStore).error().kind == ErrorKind::NotFound);
  const auto size = disk->live_contents("/t/table")->size();
  auto file = disk->open("/t/table", OpenMode::ReadWrite);
  for (const std::uint64_t length : {size - 1, size / 2, std::uint64_t{4096}, std::uint64_t{100}, std::uint64_t{0}}) {
    REQUIRE((*file)->truncate(length));
    CHECK(PageFile::open(*disk, "/t/table", kKind, kTableStore).error().kind == ErrorKind::Corrupt);
  }
}
