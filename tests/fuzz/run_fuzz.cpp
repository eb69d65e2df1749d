// Runs of the index whose checksums hold: everything that readers and a merge do with them.

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "engine/base/uuid.h"
#include "engine/index/run_writer.h"
#include "engine/table/varint.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/page_file_input.h"

namespace stele {
namespace {

constexpr const char* kPath = "/runs/sample";
constexpr std::size_t kKeysMax = 24;  // of a table that are looked up
constexpr auto kAggregates = static_cast<std::size_t>(KeyKind::Aggregate);

using Disk = std::unique_ptr<SimulatedFileSystem>;

Disk make_disk() {
  auto disk = std::make_unique<SimulatedFileSystem>(1);
  STELE_CHECK(disk->create_folders("/runs") && disk->create_folders("/merged") && disk->create_folders("/again"));
  return disk;
}

std::string input_of(SimulatedFileSystem& disk, const std::string& path) {
  return fuzz::page_file_as_input(*disk.live_contents(path));
}

/// As write_run() makes it: `records` from position `first` on.
std::string written_run(std::uint64_t records, std::uint64_t first, bool with_tail) {
  static constexpr std::array<std::string_view, 3> kIds = {"a", "mission-7", "mission-8"};
  Memtable part(Position{first});
  std::vector<RecordHeader> headers(records);
  std::vector<std::uint32_t> offsets;
  for (std::uint64_t i = 0; i < records; ++i) {
    RecordHeader& header = headers[i];
    header.position = Position{first + i};
    header.aggregate_id = kIds[i % kIds.size()];
    header.sequence = SequenceNumber{1 + i / kIds.size()};
    header.time = Timestamp{static_cast<std::int64_t>(1000 * i)};
    header.event_type = i % 2 == 0 ? "Created" : "Moved";
    if (i % 3 != 0) header.aggregate_type = "Mission";
    if (i % 2 != 0) header.user_id = "ada";
    if (i % 3 != 1) header.tags = TagList::decode(i % 2 == 0 ? "\1a\3vip" : "\3vip").value();
    header.correlation_id = i % 2 == 0 ? "0192f0c4-9000-7000-8000-0000000000c0" : "c";
    if (i % 4 != 0) header.occurred_at = Timestamp{static_cast<std::int64_t>(i)};
    header.event_id.bytes[0] = static_cast<std::uint8_t>(i * 77);
    header.event_id.bytes[15] = 1;
    offsets.push_back(static_cast<std::uint32_t>(100 * i));
  }
  part.insert(headers, with_tail ? RecordLocations{SegmentId{1}, ByteOffset{4096}, offsets} : RecordLocations{});
  std::optional<ReplayPoint> replay;
  if (with_tail) {
    replay.emplace();
    replay->log.segment = SegmentId{1};
    replay->log.end.next = part.end();
    replay->subtrees.resize(static_cast<std::size_t>(std::popcount(part.end().value())));
  }
  part.make_immutable(replay);
  const Disk disk = make_disk();
  const auto run = write_run({disk.get(), "/runs", fuzz::kInputStore, 42}, part, nullptr);
  STELE_CHECK(run);
  return input_of(*disk, (*run)->file().path());
}

void append_page(PageFileWriter& file, TablePageBuilder& page, std::string_view key, TablePageBuilder& parent) {
  std::string child;
  put_varint(child, file.offset() / kPageBytes);
  STELE_CHECK(parent.add(key, child));
  STELE_CHECK(file.append(page.finish()));
}

/// What only large runs have: a posting list in chunks, and a table of two levels. Without filters, so that a changed
/// key is still found.
std::string large_in_small() {
  constexpr std::uint32_t kOrdinals = 300;
  const Disk disk = make_disk();
  auto file = std::move(PageFileWriter::create(*disk, kPath, nullptr)).value();
  RunDirectory directory;
  directory.end = directory.tail_first = Position{kOrdinals};
  directory.times_offset = file->offset();
  directory.times_count = 1;
  STELE_CHECK(file->append(std::string(16, '\0')));

  const std::uint64_t list = file->offset();
  std::string skips;
  for (std::uint32_t at = 0; at < kOrdinals; at += 128) {
    put<std::uint32_t>(skips, at);
    put<std::uint32_t>(skips, at);
  }
  STELE_CHECK(file->append(std::string(1, '\0') + std::string(kOrdinals - 1, '\1') + skips));
  STELE_CHECK(file->pad_to_page());
  std::string chunked;
  put_varint(chunked, 2 * kOrdinals + 1);
  put_varint(chunked, list);
  put_varint(chunked, kOrdinals);

  TablePageBuilder leaf, root;
  const auto table = [&](KeyKind kind, std::uint64_t keys, std::uint32_t height, const char* first, const char* last) {
    directory.tables[static_cast<std::size_t>(kind)] = TableRoot{.keys = keys,
                                                                 .root_page = file->offset() / kPageBytes - 1,
                                                                 .height = height,
                                                                 .first_key = first,
                                                                 .last_key = last};
  };
  STELE_CHECK(leaf.add("Created", chunked));
  STELE_CHECK(file->append(leaf.finish()));
  table(KeyKind::EventType, 1, 1, "Created", "Created");

  std::string aggregate;
  StoredAggregate{.first_sequence = SequenceNumber{1},
                  .last_sequence = SequenceNumber{kOrdinals},
                  .last_time = Timestamp{9},
                  .last_ordinal = kOrdinals - 1,
                  .type = "T"}
      .encode(aggregate);
  STELE_CHECK(leaf.add("a", aggregate + chunked));
  append_page(*file, leaf, "a", root);
  aggregate.clear();
  StoredAggregate{.first_sequence = SequenceNumber{1}, .last_sequence = SequenceNumber{2}, .last_ordinal = 3}.encode(
      aggregate);
  const std::string short_list("\4\1\2", 3);
  STELE_CHECK(leaf.add("b", aggregate + short_list) && leaf.add("bc", aggregate + short_list));
  append_page(*file, leaf, "b", root);
  STELE_CHECK(file->append(root.finish()));
  table(KeyKind::Aggregate, 3, 2, "a", "bc");
  STELE_CHECK(file->finish(kRunFile, fuzz::kInputStore, directory.encode()));
  return input_of(*disk, kPath);
}

std::vector<std::string> seeds() {
  return {written_run(3, 0, false), written_run(8, 5, true), written_run(20, 0, true), large_in_small()};
}

std::vector<std::string> keys_of(const IndexRun& run, std::size_t table) {
  std::vector<std::string> keys;
  std::string last;
  bool first = true;
  Table::Cursor cursor(run.table(table));
  if (!cursor.seek({})) return keys;
  while (cursor.valid()) {
    STELE_CHECK(cursor.key().size() <= kTableKeyBytesMax && cursor.value().size() <= kTableValueBytesMax);
    STELE_CHECK(first || last < cursor.key());
    first = false;
    last = cursor.key();
    if (keys.size() < kKeysMax) keys.push_back(last);
    if (!cursor.next()) break;
  }
  return keys;
}

struct Reading {
  const IndexRun& run;

  void covered(Position p) const { STELE_CHECK(run.first() <= p && p < run.end()); }

  [[nodiscard]] std::vector<Position> places() const {
    return {Position{0},
            run.first(),
            run.first().plus(run.size() / 2),
            Position{run.end().value() - 1},
            run.end(),
            Position{std::numeric_limits<std::uint64_t>::max()}};
  }

  void postings(KeyKind kind, const std::string& text) const {
    const auto reader = run.postings({kind, text});
    if (!reader || *reader == nullptr) return;
    for (const Direction direction : {Direction::Ascending, Direction::Descending}) {
      const bool up = direction == Direction::Ascending;
      for (const Position at : places()) {
        for (const std::size_t limit : {std::size_t{1}, std::size_t{200}}) {
          std::vector<Position> found;
          (void)(*reader)->collect(at, direction, limit, found);
          STELE_CHECK(found.size() <= limit);
          for (std::size_t i = 0; i < found.size(); ++i) {
            covered(found[i]);
            STELE_CHECK(up ? found[i] >= at : found[i] <= at);
            // Queries leap from list to list, and must always get on.
            if (i > 0) STELE_CHECK(up ? found[i - 1] < found[i] : found[i] < found[i - 1]);
          }
        }
      }
    }
  }

  void aggregate(const std::string& id) const {
    const auto summary = run.aggregate(id);
    if (summary && *summary) covered((*summary)->last_position);
    (void)run.head(id);
    for (const std::uint64_t sequence : {0ULL, 1ULL, 2ULL, 129ULL, ~0ULL}) {
      const auto position = run.position_of(id, SequenceNumber{sequence});
      if (position && *position) covered(**position);
    }
    const auto ids = run.aggregate_ids({}, id.substr(0, id.size() / 2), id, 3);
    if (ids) {
      STELE_CHECK(ids->size() <= 3 && std::is_sorted(ids->begin(), ids->end()));
      for (const std::string& each : *ids) STELE_CHECK(each >= id);
    }
    const auto typed = run.aggregate_ids(id, {}, {}, 3);
    STELE_CHECK(!typed || (typed->size() <= 3 && std::is_sorted(typed->begin(), typed->end())));
  }

  void event(std::string_view key) const {
    Uuid id;
    std::copy_n(key.begin(), std::min(key.size(), id.bytes.size()), id.bytes.begin());
    const auto position = run.find_event(id);
    if (position && *position) covered(**position);
  }

  void times() const {
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t micros : {-kMax, std::int64_t{0}, std::int64_t{1}, std::int64_t{5000}, kMax}) {
      const auto bounds = run.time_bounds(Timestamp{micros});
      if (!bounds) continue;
      STELE_CHECK(run.first() <= bounds->begin && bounds->begin <= bounds->end && bounds->end <= run.end());
    }
  }

  void days() const {
    const auto found = run.occurred_days(-3, 30'000);
    if (!found || !*found) return;
    STELE_CHECK((*found)->days.size() <= kOccurredDaysMax);
    for (const std::int64_t day : (*found)->days) STELE_CHECK(-3 <= day && day <= 30'000);
  }

  void everything() const {
    for (std::size_t table = 0; table < kRunTables; ++table) {
      std::vector<std::string> keys = keys_of(run, table);
      keys.insert(keys.end(), {"", "mission-7", std::string(300, 'x')});
      for (const std::string& key : keys) {
        if (table == kAggregates) aggregate(key);
        if (table == kEventIdTable) {
          event(key);
          continue;
        }
        postings(static_cast<KeyKind>(table), key);
        // User and correlation ids are asked for by what follows the first byte.
        if (key.size() == 17 && key[0] == 1) {
          Uuid id;
          std::copy_n(key.begin() + 1, id.bytes.size(), id.bytes.begin());
          postings(static_cast<KeyKind>(table), to_string(id));
        } else if (!key.empty()) {
          postings(static_cast<KeyKind>(table), key.substr(1));
        }
      }
    }
    times();
    days();
    const auto offsets = run.tail_offsets();
    if (offsets) STELE_CHECK(offsets->size() == run.end().since(run.directory().tail_first));
  }
};

}  // namespace

FUZZ_TARGET(run, seeds) {
  std::string_view pages = input;
  const std::string_view directory = fuzz::take_directory(pages);
  // Most directories are none: no file is needed to find that out.
  if (!RunDirectory::decode(directory)) return;
  const Disk disk = make_disk();
  fuzz::write_page_file(*disk, kPath, kRunFile, directory, pages);
  const auto run = IndexRun::open(*disk, kPath, fuzz::kInputStore);
  if (!run) return;
  Reading{**run}.everything();

  const std::vector<std::shared_ptr<const IndexRun>> alone{*run};
  const auto merged = compact_runs({disk.get(), "/merged", fuzz::kInputStore, 43}, alone, nullptr);
  if (!merged) return;
  // A merge writes nothing that cannot be read.
  STELE_CHECK((*merged)->first() == (*run)->first() && (*merged)->end() == (*run)->end());
  Reading{**merged}.everything();
  const std::vector<std::shared_ptr<const IndexRun>> again{*merged};
  STELE_CHECK(compact_runs({disk.get(), "/again", fuzz::kInputStore, 44}, again, nullptr));
}

}  // namespace stele
