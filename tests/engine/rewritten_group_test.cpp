// A group that is written again with members of its records taken out, as redaction does: its link stays, and so does
// everything that rests on it.

#include <doctest/doctest.h>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/log/frame.h"
#include "engine/store/store.h"
#include "tests/support/rewritten_segment.h"
#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::test;

namespace {

constexpr std::uint64_t kEvents = 900;
constexpr const char* kSegment = "/store/log/0000000000000002.seg";

FileContents make_rolled_files() {
  SimulatedFileSystem disk(1);
  auto store = Store::open(sample_options(disk)).value();
  append_sample(*store, kEvents);
  REQUIRE(store->metrics().log_segments > 3);
  REQUIRE(store->close());
  FileContents files;
  read_folder(disk, "/store", files);
  return files;
}

std::uint64_t records_of(std::string_view file) {
  const auto footer = decode_trailer(file.substr(file.size() - kFooterTrailerBytes));
  return get_at<std::uint32_t>(file.data() + footer->value() + 4);
}

void remove_index(FileContents& files) {
  std::erase_if(files, [](const auto& file) { return file.first.starts_with("/store/index/"); });
}

}  // namespace

TEST_CASE("Rewritten.AGroupInTheMiddleOfTheLogIsReadAndContinued") {
  const FileContents whole = make_rolled_files();
  const std::string& segment = whole.at(kSegment);
  const std::uint64_t records = records_of(segment);
  const Position first = [&] {
    const SegmentHeader header = decode_segment_header(segment.substr(0, kSegmentHeaderBytes)).value();
    return parse_frame_header(std::string_view(segment).substr(kSegmentHeaderBytes), header.store_id, header.segment)
        ->first;
  }();
  for (const std::uint64_t which : {std::uint64_t{0}, records / 2, records - 1}) {
    for (const bool with_index : {true, false}) {
      CAPTURE(which);
      CAPTURE(with_index);
      const Position redacted = first.plus(which);
      FileContents files = whole;
      files[kSegment] = rewritten(segment, which, Link::Kept);
      REQUIRE(files[kSegment].size() != segment.size());
      if (!with_index) remove_index(files);

      SimulatedFileSystem before_disk(2), disk(3);
      write_files(before_disk, whole);
      write_files(disk, files);
      StoreOptions options = sample_options(disk);
      auto before = Store::open(sample_options(before_disk)).value();
      for (int opened = 0; opened < 2; ++opened) {
        auto opened_store = Store::open(options);
        REQUIRE_MESSAGE(opened_store, (opened_store ? "" : opened_store.error().describe()));
        Store& store = **opened_store;
        if (opened == 0) CHECK(store.head().root == before->head().root);
        Record record, original;
        const auto view = store.view();
        const auto before_view = before->view();
        for (Position p{0}; p < before_view->end(); p = p.next()) {
          REQUIRE(view->read(p, record));
          REQUIRE(before_view->read(p, original));
          REQUIRE(record.leaf() == original.leaf());
          REQUIRE(record.redacted(BodyMember::Data) == (p == redacted));
          if (p != redacted) REQUIRE(record.body().data == original.body().data);
        }
        append_sample(store, 20);
        REQUIRE(store.close());
      }
    }
  }
}

TEST_CASE("Rewritten.AGroupWithAnotherLinkDoesNotContinueTheLog") {
  FileContents files = make_rolled_files();
  const std::string segment = files.at(kSegment);
  // That of the last group is named by the footer, those of the others by the group behind them.
  for (const std::uint64_t which : {std::uint64_t{0}, records_of(segment) / 2, records_of(segment) - 1}) {
    CAPTURE(which);
    files[kSegment] = rewritten(segment, which, Link::Wrong);
    FileContents alone = files;
    remove_index(alone);  // otherwise the footer is believed, and the scrubber's turn is what finds it
    SimulatedFileSystem disk(2);
    write_files(disk, alone);
    const auto store = Store::open(sample_options(disk));
    REQUIRE_FALSE(store);
    CHECK(store.error().kind == ErrorKind::Corrupt);
    FileContents left;
    read_folder(disk, "/store", left);
    CHECK(left.at(kSegment) == files.at(kSegment));  // nothing was changed
  }
}
