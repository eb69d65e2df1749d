#pragma once
// A small store on a simulated disk whose content is known, for tests that damage it.

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/store/store.h"
#include "tests/support/simulated_file_system.h"

namespace stele::test {

using FileContents = std::map<std::string, std::string>;

struct SampleEvent {
  Uuid event_id;
  std::string aggregate_id;
  std::string event_type;
  std::string data;
};

inline StoreOptions sample_options(FileSystem& disk) {
  StoreOptions options;
  options.folder = "/store";
  options.segment_bytes = 64 * 1024;
  options.fill_bytes_per_second = 0;
  options.index_part_records_max = 16;
  options.compaction_bytes_per_second = 0;
  options.scrub_bytes_per_second = 0;
  options.snapshots.write_bytes_per_second = 0;
  options.guard_interval = std::chrono::milliseconds{0};
  options.group_commit_delay = std::chrono::microseconds{0};
  options.file_system = &disk;
  return options;
}

/// The event at this position, which is not 0; always the same.
inline SampleEvent sample_event(std::uint64_t position) {
  SampleEvent event;
  for (std::size_t i = 0; i < event.event_id.bytes.size(); ++i) {
    event.event_id.bytes[i] =
        static_cast<std::uint8_t>((position * 0x9E3779B97F4A7C15ULL + i * 0x7F4A7C15ULL) >> (i % 8 * 8));
  }
  event.aggregate_id = "aggregate-" + std::to_string(position % 7);
  event.event_type = position % 13 == 0 ? "Rare" : "Common";
  event.data = "\"" + std::string(20 + position % 90, static_cast<char>('a' + position % 26)) + "\"";
  return event;
}

/// What makes that event.
inline Proposal sample_proposal(std::uint64_t position) {
  const SampleEvent sample = sample_event(position);
  Proposal proposal;
  RecordDraft& draft = proposal.events.emplace_back();
  draft.event_id = sample.event_id;
  draft.aggregate_id = sample.aggregate_id;
  draft.event_type = sample.event_type;
  draft.data = sample.data;
  draft.seal();
  return proposal;
}

inline void append_sample(Store& store, std::uint64_t events) {
  for (std::uint64_t i = 0; i < events; ++i) {
    const AppendOutcome outcome = store.append_and_wait(sample_proposal(store.durable_end().value()));
    REQUIRE_MESSAGE(outcome.kind == AppendOutcome::Kind::Stored, outcome.detail);
  }
}

/// Copies files and folders from one disk to another; both must be idle.
inline void copy_folder(SimulatedFileSystem& from, SimulatedFileSystem& to, const std::string& folder) {
  REQUIRE(to.create_folders(folder));
  const auto names = from.list(folder);
  REQUIRE(names);
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    const auto contents = from.live_contents(path);
    if (!contents) {
      copy_folder(from, to, path);
      continue;
    }
    auto file = to.open(path, OpenMode::CreateNew);
    REQUIRE(file);
    REQUIRE((*file)->write_at(ByteOffset{0}, *contents));
    REQUIRE((*file)->sync_data());
  }
  REQUIRE(to.sync_directory(folder));
}

/// All files below the folder with what is in them.
inline void read_folder(SimulatedFileSystem& disk, const std::string& folder, FileContents& to) {
  const auto names = disk.list(folder);
  REQUIRE(names);
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    if (auto contents = disk.live_contents(path)) {
      to[path] = std::move(*contents);
    } else {
      read_folder(disk, path, to);
    }
  }
}

inline void write_files(SimulatedFileSystem& disk, const FileContents& files) {
  for (const auto& [path, contents] : files) {
    REQUIRE(disk.create_folders(path.substr(0, path.rfind('/'))));
    auto file = disk.open(path, OpenMode::CreateNew);
    REQUIRE(file);
    REQUIRE((*file)->write_at(ByteOffset{0}, contents));
    REQUIRE((*file)->sync_data());
    REQUIRE(disk.sync_directory(path.substr(0, path.rfind('/'))));
  }
}

/// What became of a damaged store's answers.
struct SampleCheck {
  std::uint64_t right = 0;
  std::uint64_t failed = 0;  ///< with an error; a wrong answer fails the test
};

/// Asks for everything below `events` in every way there is.
inline SampleCheck check_sample(const std::shared_ptr<const ReadView>& view, std::uint64_t events) {
  SampleCheck check;
  REQUIRE(view->end() == Position{events});
  Record record;
  std::map<std::string, std::vector<Position>> aggregates, types;
  for (std::uint64_t p = 1; p < events; ++p) {
    const SampleEvent expected = sample_event(p);
    aggregates[expected.aggregate_id].push_back(Position{p});
    types[expected.event_type].push_back(Position{p});
    const auto found = view->find_event(expected.event_id);
    if (found) REQUIRE(*found == Position{p});
    if (const Status read = view->read(Position{p}, record); !read) {
      ++check.failed;
    } else {
      REQUIRE(record.header().event_id == expected.event_id);
      REQUIRE(record.header().aggregate_id == expected.aggregate_id);
      REQUIRE(record.header().event_type == expected.event_type);
      REQUIRE(record.header().sequence == SequenceNumber{aggregates[expected.aggregate_id].size()});
      REQUIRE(record.body().data == expected.data);
      ++check.right;
    }
    ++(found ? check.right : check.failed);
  }
  const auto run = [&](const EventQuery& query, const std::vector<Position>& expected) {
    auto stream = view->query(query);
    std::vector<Position> found;
    bool whole = static_cast<bool>(stream);
    while (whole) {
      const auto next = (*stream)->next(record);
      whole = static_cast<bool>(next);
      if (!next || !*next) break;
      found.push_back(record.header().position);
    }
    ++(whole ? check.right : check.failed);
    REQUIRE(found.size() <= expected.size());
    if (whole) REQUIRE(found.size() == expected.size());
    REQUIRE(std::equal(found.begin(), found.end(), expected.begin()));
  };
  for (const auto& [id, positions] : aggregates) {
    run(EventQuery{.aggregate_id = id}, positions);
    std::vector<Position> backwards(positions.rbegin(), positions.rend());
    run(EventQuery{.aggregate_id = id, .direction = Direction::Descending}, backwards);
    const auto summary = view->aggregate(id);
    ++(summary ? check.right : check.failed);
    if (!summary) continue;
    REQUIRE(*summary);
    REQUIRE((*summary)->last_sequence == SequenceNumber{positions.size()});
    REQUIRE((*summary)->last_position == positions.back());
  }
  for (const auto& [type, positions] : types) run(EventQuery{.event_types = {type}}, positions);
  Uuid unknown;
  unknown.bytes.fill(0xEE);
  if (const auto found = view->find_event(unknown)) REQUIRE(!*found);
  return check;
}

inline SampleCheck check_sample(const Store& store, std::uint64_t events) { return check_sample(store.view(), events); }

}  // namespace stele::test
