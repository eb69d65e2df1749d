// One damaged folder for each row of the recovery tables, made from a real one.

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <map>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/log/frame.h"
#include "engine/store/store.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

using namespace stele;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSegmentBytes = 64 * 1024;

StoreOptions options_for(const std::string& folder) {
  StoreOptions options;
  options.folder = folder;
  options.segment_bytes = kSegmentBytes;
  options.fill_bytes_per_second = 0;
  options.group_commit_delay = std::chrono::microseconds{0};
  return options;
}

RecordDraft draft(const std::string& aggregate, std::size_t data_bytes = 200) {
  RecordDraft event;
  event.event_id = make_uuid_v7(system_clock());
  event.aggregate_id = aggregate;
  event.event_type = "Moved";
  event.data = "\"" + std::string(data_bytes, 'x') + "\"";
  event.seal();
  return event;
}

bool append(Store& store, const std::string& aggregate, std::size_t data_bytes = 200) {
  Proposal proposal;
  proposal.events.push_back(draft(aggregate, data_bytes));
  return store.append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored;
}

std::map<std::string, std::string> content(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != "lock")
      files[entry.path()] = tests::read_file(entry.path());
  }
  return files;
}

/// A data folder, made whole, then spoilt.
struct Folder {
  std::string path;

  [[nodiscard]] fs::path segment(int number) const {
    char name[32];
    std::snprintf(name, sizeof name, "%016d.seg", number);
    return fs::path(path) / "log" / name;
  }
  [[nodiscard]] int last_segment() const {
    int last = 0;
    while (fs::exists(segment(last + 1))) ++last;
    return last;
  }
  void forget_state() const { fs::remove(fs::path(path) / "state"); }
  /// Changes bytes of a segment.
  void edit(int number, const std::function<void(std::string&)>& change) const {
    std::string bytes = tests::read_file(segment(number));
    change(bytes);
    tests::write_file(segment(number), bytes);
  }
  /// Offsets of the groups of a segment, and the end of the last as the final element.
  [[nodiscard]] std::vector<std::size_t> groups(int number) const {
    const std::string bytes = tests::read_file(segment(number));
    std::vector<std::size_t> offsets{kSegmentHeaderBytes};
    while (offsets.back() + kFrameBytes < bytes.size() &&
           get_at<std::uint32_t>(bytes.data() + offsets.back()) == static_cast<std::uint32_t>(FrameKind::Group)) {
      offsets.push_back(offsets.back() + kFrameBytes + get_at<std::uint32_t>(bytes.data() + offsets.back() + 56));
    }
    return offsets;
  }
  [[nodiscard]] std::size_t end(int number) const { return groups(number).back(); }
};

struct Spoiling {
  const char* name;
  std::function<void(const Folder&)> spoil;
};

/// Makes a folder with `events` events in groups of one.
void fill(const std::string& path, int events) {
  auto store = Store::open(options_for(path));
  REQUIRE(store);
  for (int i = 0; i < events; ++i) REQUIRE(append(**store, "a" + std::to_string(i % 3)));
  REQUIRE((*store)->close());
}

constexpr int kFew = 5, kMany = 400;  // one segment; several

}  // namespace

TEST_CASE("Recovery.CutsWhatWasNeverAcknowledgedAndGoesOn") {
  const Spoiling spoilings[] = {
      {"clean", [](const Folder&) {}},
      {"torn-group",
       [](const Folder& folder) {
         folder.forget_state();
         folder.edit(1, [&](std::string& bytes) { bytes[folder.end(1) - 1] ^= 1; });
       }},
      {"torn-frame-header",
       [](const Folder& folder) {
         folder.edit(1, [&](std::string& bytes) { bytes.replace(folder.end(1), 20, "twenty bytes of junk"); });
       }},
      {"zero-filled",
       [](const Folder& folder) {
         folder.edit(1, [&](std::string& bytes) { bytes.replace(folder.end(1) + 512, 4, "tail"); });
       }},
      {"stale-frame",
       [](const Folder& folder) {
         const auto groups = folder.groups(1);
         folder.edit(1, [&](std::string& bytes) {
           const std::string old = bytes.substr(groups[1], groups[2] - groups[1]);
           bytes.replace(groups.back(), old.size(), old);
         });
       }},
      {"torn-footer",
       [](const Folder& folder) {
         folder.edit(1, [&](std::string& bytes) {
           const std::size_t end = folder.end(1);
           const std::string header = bytes.substr(kSegmentHeaderBytes, kFrameBytes);
           bytes.replace(end, header.size(), header);
           put_at<std::uint32_t>(bytes.data() + end, static_cast<std::uint32_t>(FrameKind::Footer));
         });
       }},
  };
  for (const Spoiling& spoiling : spoilings) {
    CAPTURE(spoiling.name);
    const TempFolder temp;
    const Folder folder{temp.path()};
    fill(folder.path, kFew);
    const bool loses_last = std::string_view(spoiling.name) == "torn-group";
    const std::uint64_t left = 1 + kFew - (loses_last ? 1 : 0);
    spoiling.spoil(folder);
    {
      auto store = Store::open(options_for(folder.path));
      REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
      CHECK((*store)->recovery().tail_case == spoiling.name);
      CHECK((*store)->durable_end() == Position{left});
      // Before the first append everything behind the end is zero on disk.
      const std::string bytes = tests::read_file(folder.segment(1));
      CHECK(bytes.find_first_not_of('\0', folder.end(1)) == std::string::npos);
      CHECK(append(**store, "after"));
      CHECK((*(*store)->view()->aggregate("after"))->last_sequence == SequenceNumber{1});
    }
    auto again = Store::open(options_for(folder.path));
    REQUIRE(again);
    CHECK((*again)->recovery().tail_case == "clean");
    CHECK((*again)->durable_end() == Position{left + 1});
  }
}

TEST_CASE("Recovery.RefusesDamageAndChangesNothing") {
  struct Refused : Spoiling {
    int events;
    ErrorKind kind;
  };
  const Refused cases[] = {
      {{"damaged-in-the-middle",
        [](const Folder& folder) {
          folder.edit(1, [&](std::string& bytes) { bytes[folder.groups(1)[2] + kFrameBytes + 40] ^= 4; });
        }},
       kFew,
       ErrorKind::Corrupt},
      {{"damaged-in-the-middle",
        [](const Folder& folder) {  // a whole group lost: zeros where it was
          const auto groups = folder.groups(1);
          folder.edit(1, [&](std::string& bytes) {
            bytes.replace(groups[2], groups[3] - groups[2], groups[3] - groups[2], '\0');
          });
        }},
       kFew,
       ErrorKind::Corrupt},
      {{"durable-records-missing",
        [](const Folder& folder) { folder.edit(1, [&](std::string& bytes) { bytes[folder.end(1) - 1] ^= 1; }); }},
       kFew,
       ErrorKind::Corrupt},
      {{"durable-records-missing", [](const Folder& folder) { fs::remove(folder.segment(folder.last_segment())); }},
       kMany,
       ErrorKind::Corrupt},
      {{"durable-records-missing", [](const Folder& folder) { fs::remove_all(fs::path(folder.path) / "log"); }},
       kFew,
       ErrorKind::Corrupt},
      {{"damaged-in-an-older-segment",
        [](const Folder& folder) {
          folder.edit(1, [&](std::string& bytes) { bytes[folder.groups(1)[7] + kFrameBytes + 60] ^= 1; });
        }},
       kMany,
       ErrorKind::Corrupt},
      {{"damaged-in-an-older-segment",
        [](const Folder& folder) {
          folder.edit(1, [&](std::string& bytes) { bytes[folder.end(1) + kFrameBytes + 1] ^= 1; });  // its footer
        }},
       kMany,
       ErrorKind::Corrupt},
      {{"missing-segment", [](const Folder& folder) { fs::remove(folder.segment(2)); }}, kMany, ErrorKind::Corrupt},
      {{"missing-segment", [](const Folder& folder) { fs::remove(folder.segment(1)); }}, kMany, ErrorKind::Corrupt},
      {{"damaged-header", [](const Folder& folder) { folder.edit(1, [](std::string& b) { b[20] ^= 1; }); }},
       kFew,
       ErrorKind::Corrupt},
      {{"damaged-header", [](const Folder& folder) { tests::write_file(folder.segment(1), ""); }},
       kFew,
       ErrorKind::Corrupt},
      {{"damaged-header",
        [](const Folder& folder) { folder.edit(1, [](std::string& b) { b.resize(kSegmentHeaderBytes / 2); }); }},
       kFew,
       ErrorKind::Corrupt},
      {{"damaged-header",
        [](const Folder& folder) { folder.edit(1, [](std::string& b) { b.replace(0, 4096, 4096, '\0'); }); }},
       kFew,
       ErrorKind::Corrupt},
      {{"foreign-file", [](const Folder& folder) { tests::write_file(folder.segment(1), std::string(8192, 'p')); }},
       kFew,
       ErrorKind::Foreign},
      {{"newer-version",
        [](const Folder& folder) { folder.edit(1, [](std::string& b) { put_at<std::uint16_t>(b.data() + 10, 99); }); }},
       kFew,
       ErrorKind::NewerFormat},
      {{"other-store",
        [](const Folder& folder) {
          const TempFolder other;
          fill(other.path(), kMany);
          fs::copy_file(Folder{other.path()}.segment(2), folder.segment(2), fs::copy_options::overwrite_existing);
        }},
       kMany,
       ErrorKind::Foreign},
      {{"misnamed",
        [](const Folder& folder) {
          fs::copy_file(folder.segment(1), folder.segment(2), fs::copy_options::overwrite_existing);
        }},
       kMany,
       ErrorKind::Foreign},
  };
  for (const Refused& refused : cases) {
    CAPTURE(refused.name);
    const TempFolder temp;
    const Folder folder{temp.path()};
    fill(folder.path, refused.events);
    refused.spoil(folder);
    const auto before = content(folder.path);
    auto store = Store::open(options_for(folder.path));
    REQUIRE(!store);
    CHECK(store.error().kind == refused.kind);
    CHECK_MESSAGE(store.error().message.starts_with(refused.name), store.error().describe());
    CHECK(content(folder.path) == before);
  }
}

TEST_CASE("Recovery.GoesOnBehindASealedLastSegment") {
  const TempFolder temp;
  const Folder folder{temp.path()};
  fill(folder.path, kMany);
  const int last = folder.last_segment();
  REQUIRE(last > 2);
  folder.forget_state();  // as after a power cut between sealing and the first group of the next segment
  fs::remove(folder.segment(last));
  SUBCASE("trimmed") {}
  SUBCASE("not trimmed yet") {
    folder.edit(last - 1, [](std::string& bytes) { bytes.resize(kSegmentBytes + 4096, '\0'); });
  }
  auto store = Store::open(options_for(folder.path));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK((*store)->recovery().tail_case == "sealed");
  const Position end = (*store)->durable_end();
  CHECK(append(**store, "after"));
  CHECK((*store)->durable_end() == end.next());
  CHECK(fs::exists(folder.segment(last)));
  Record record;
  for (Position p; p < (*store)->durable_end(); p = p.next()) CHECK((*store)->view()->read(p, record));
}

TEST_CASE("Recovery.ASegmentInTheMiddleNeedNotBeTrimmed") {
  const TempFolder temp;
  const Folder folder{temp.path()};
  fill(folder.path, kMany);
  folder.edit(1, [](std::string& bytes) { bytes.resize(kSegmentBytes + 4096, '\0'); });
  auto store = Store::open(options_for(folder.path));
  REQUIRE(store);
  CHECK((*store)->durable_end() == Position{1 + kMany});
}

TEST_CASE("Recovery.RemovesPreparedSegmentsAndLeavesStrangersAlone") {
  const TempFolder temp;
  const Folder folder{temp.path()};
  fill(folder.path, kFew);
  const fs::path prepared = fs::path(folder.path) / "log" / "0000000000000002.prepared";
  const fs::path stranger = fs::path(folder.path) / "log" / "notes.txt";
  tests::write_file(prepared, "half made");
  tests::write_file(stranger, "mine");
  auto store = Store::open(options_for(folder.path));
  REQUIRE(store);
  CHECK(!fs::exists(prepared));
  CHECK(tests::read_file(stranger) == "mine");
  REQUIRE((*store)->recovery().notes.size() == 1);
  CHECK((*store)->recovery().notes[0].find("notes.txt") != std::string::npos);
}

TEST_CASE("Recovery.AStateFileOfAnotherStoreIsIgnored") {
  const TempFolder temp, other;
  fill(temp.path(), kFew);
  fill(other.path(), kMany);
  fs::copy_file(other.path() + "/state", temp.path() + "/state", fs::copy_options::overwrite_existing);
  auto store = Store::open(options_for(temp.path()));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK((*store)->durable_end() == Position{1 + kFew});
}

TEST_CASE("Recovery.ASecondOpenOfTheSameFolderIsLocked") {
  const TempFolder temp;
  auto first = Store::open(options_for(temp.path()));
  REQUIRE(first);
  auto second = Store::open(options_for(temp.path()));
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::Locked);
  REQUIRE((*first)->close());
  CHECK(Store::open(options_for(temp.path())));
}

TEST_CASE("Recovery.AnUncleanEndIsWrittenAgain") {
  const TempFolder temp, copy;
  {
    auto store = Store::open(options_for(temp.path()));
    REQUIRE(store);
    for (int i = 0; i < kFew; ++i) REQUIRE(append(**store, "a"));
    // What a killed process leaves behind: the files as they are while it runs.
    fs::copy(temp.path(), copy.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  fs::remove(copy.path() + "/state");
  auto store = Store::open(options_for(copy.path()));
  REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
  CHECK((*store)->recovery().rewritten_bytes > kSegmentHeaderBytes);
  CHECK((*store)->durable_end() == Position{1 + kFew});
}
