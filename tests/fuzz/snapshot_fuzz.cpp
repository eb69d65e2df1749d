// A folder of snapshots with one file whose checksums hold.

#include "engine/snapshots/snapshot_store.h"

#include "engine/base/digest.h"
#include "engine/table/varint.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/page_file_input.h"

namespace stele {
namespace {

constexpr PageFileKind kKind{"STELESNP", 1};
constexpr const char* kFolder = "/s";
constexpr std::size_t kKeysMax = 24;

using Disk = std::unique_ptr<SimulatedFileSystem>;

std::string path(const SnapshotFileName& name) { return std::string(kFolder) + "/" + name.text(); }

Disk make_disk() {
  auto disk = std::make_unique<SimulatedFileSystem>(1);
  STELE_CHECK(disk->create_folders(kFolder));
  return disk;
}

std::unique_ptr<SnapshotStore> open_store(SimulatedFileSystem& disk) {
  auto store =
      SnapshotStore::open({.file_system = &disk,
                           .clock = &system_clock(),
                           .folder = kFolder,
                           .store_id = fuzz::kInputStore,
                           .settings = {.memory_age_max = std::chrono::hours(1), .write_bytes_per_second = 0}});
  STELE_CHECK(store);
  return std::move(*store);
}

/// What a store makes of a few puts, and, if `removed` is not empty, of a deletion alone.
std::string written_file(int aggregates, int states, std::string_view removed) {
  const Disk disk = make_disk();
  const auto store = open_store(*disk);
  for (int a = 0; a < aggregates; ++a) {
    const std::string id = "mission-" + std::to_string(a);
    for (int s = 1; s <= states; ++s) {
      for (const char* const name : {"fold", "view"}) {
        const auto sequence = SequenceNumber{static_cast<std::uint64_t>(s) * 3};
        STELE_CHECK(store->put({id, name}, sequence, {}, "state " + std::to_string(s), 4));
      }
    }
  }
  STELE_CHECK(removed.empty() ? store->flush() : store->remove(removed));
  const auto names = disk->list(kFolder);
  STELE_CHECK(names && names->size() == 1);
  return fuzz::page_file_as_input(*disk->live_contents(std::string(kFolder) + "/" + names->front()));
}

/// Deletions and states together, in a table of two levels and without a filter, so that a changed key is still found.
std::string large_in_small() {
  const Disk disk = make_disk();
  auto file = std::move(PageFileWriter::create(*disk, "/s/x", nullptr)).value();
  const std::uint64_t begin = file->offset();
  STELE_CHECK(file->append("state") && file->pad_to_page());
  StoredStates states{{.sequence = SequenceNumber{9}, .keep = 2, .offset = begin, .bytes = 5}};
  states.front().checksum = xxh3("state");
  states.push_back({.sequence = SequenceNumber{4}, .keep = 1, .offset = begin, .bytes = 0, .checksum = xxh3("")});
  TablePageBuilder leaf, root;
  const auto flush = [&](const std::string& first_key) {
    std::string child;
    put_varint(child, file->offset() / kPageBytes);
    STELE_CHECK(root.add(first_key, child) && file->append(leaf.finish()));
  };
  STELE_CHECK(leaf.add(deletion_key("a"), {}) && leaf.add(states_key("a", "f"), encode_states(states)));
  flush(deletion_key("a"));
  STELE_CHECK(leaf.add(states_key("b", "f"), encode_states(states)) && leaf.add(deletion_key("bc"), {}));
  flush(states_key("b", "f"));
  std::string directory("\2\3\2", 3);
  TableRoot{.keys = 4,
            .root_page = file->offset() / kPageBytes,
            .height = 2,
            .first_key = deletion_key("a"),
            .last_key = deletion_key("bc")}
      .encode(directory);
  STELE_CHECK(file->append(root.finish()) && file->finish(kKind, fuzz::kInputStore, directory));
  return fuzz::page_file_as_input(*disk->live_contents("/s/x"));
}

std::vector<std::string> seeds() {
  return {written_file(1, 1, ""), written_file(3, 3, ""), written_file(0, 0, "mission-0"), large_in_small()};
}

/// What the directory says the file is called.
std::optional<SnapshotFileName> name_of(std::string_view directory) {
  SnapshotFileName name;
  std::uint64_t deletions = 0;
  if (!take_varint(directory, name.low) || !take_varint(directory, name.high) || !take_varint(directory, deletions)) {
    return std::nullopt;
  }
  name.deletions = deletions > 0;
  return SnapshotFileName::parse(name.text());
}

struct Key {
  std::string aggregate_id;
  std::string name;
};

/// Some keys of the file, and one that is hardly there.
std::vector<Key> keys_of(const SnapshotFile& file) {
  std::vector<Key> keys{{"mission-0", "none"}};
  std::string last, state;
  Table::Cursor cursor = file.cursor();
  for (Status moved = cursor.seek({}); moved && cursor.valid(); moved = cursor.next()) {
    STELE_CHECK(last.empty() || last < cursor.key());
    last = cursor.key();
    const auto split = split_key(last);
    if (!split || keys.size() == kKeysMax) continue;
    keys.push_back({std::string(split->deletion_key.substr(1)), std::string(split->name)});
    (void)file.find(last);
    (void)file.deletes(split->deletion_key);
    const auto states = file.decode(cursor.value());
    if (!states) continue;
    for (const StoredState& each : *states) {
      STELE_CHECK(each.bytes <= file.file_bytes());
      if (file.read(each, state)) STELE_CHECK(state.size() == each.bytes);
    }
  }
  return keys;
}

void read_all(const SnapshotStore& store, const std::vector<Key>& keys) {
  for (const Key& key : keys) {
    const auto latest = store.latest({key.aggregate_id, key.name});
    for (const std::uint64_t at_most : {0ULL, 1ULL, 5ULL, ~0ULL}) {
      const auto found = store.at_or_before({key.aggregate_id, key.name}, SequenceNumber{at_most});
      if (!found) continue;
      STELE_CHECK(SequenceNumber{0} < found->sequence && found->sequence <= SequenceNumber{at_most});
      if (latest) STELE_CHECK(found->sequence <= latest->sequence);
    }
  }
}

}  // namespace

FUZZ_TARGET(snapshot, seeds) {
  std::string_view pages = input;
  const std::string_view directory = fuzz::take_directory(pages);
  const auto name = name_of(directory);
  if (!name) return;
  const Disk disk = make_disk();
  fuzz::write_page_file(*disk, path(*name), kKind, directory, pages);
  std::vector<Key> keys;
  {
    const auto file = SnapshotFile::open(*disk, path(*name), *name, fuzz::kInputStore);
    if (!file) return;
    keys = keys_of(**file);
  }

  const auto store = open_store(*disk);
  read_all(*store, keys);
  const Key& removed = keys.back();
  if (removed.aggregate_id == "put") return;
  STELE_CHECK(store->remove(removed.aggregate_id));
  STELE_CHECK(!store->latest({removed.aggregate_id, removed.name}));
  STELE_CHECK(store->put({"put", "here"}, SequenceNumber{~0ULL}, {}, "new"));
  STELE_CHECK(store->flush());
  const std::uint64_t bytes_before = store->health().file_bytes;

  // A damaged file costs its states, and nothing else.
  STELE_CHECK(store->latest({"put", "here"}));
  STELE_CHECK(store->compact());
  const SnapshotHealth compacted = store->health();
  STELE_CHECK(compacted.files == 1 && compacted.file_bytes <= bytes_before);
  read_all(*store, keys);
  STELE_CHECK(!store->latest({removed.aggregate_id, removed.name}));
  STELE_CHECK(store->latest({"put", "here"}));
  STELE_CHECK(store->health().damaged_files == compacted.damaged_files);
}

}  // namespace stele
