#include "engine/log/segment.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/temp_folder.h"

using namespace stele;

namespace {

constexpr std::uint64_t kMemoryPage = 4096;

/// A file of records, and the active segment that reads it.
class SampleSegment {
 public:
  /// Adds a record whose body makes it `bytes` long.
  void add(std::size_t bytes) {
    RecordHeader header;
    header.position = Position{bodies_.size()};
    header.sequence = SequenceNumber{1};
    header.aggregate_id = "a";
    header.event_type = "t";
    std::string body;
    for (;;) {
      header.data_length = static_cast<std::uint32_t>(body.size());
      std::string record;
      append_record(record, header, Seed{}, RecordBody{.data = body});
      if (record.size() >= bytes) {
        REQUIRE(record.size() == bytes);
        offsets_->append(static_cast<std::uint32_t>(log_.size()));
        log_ += record;
        bodies_.push_back(std::move(body));
        return;
      }
      body.resize(body.size() + bytes - record.size(), static_cast<char>('a' + bodies_.size() % 26));
    }
  }
  void open() {
    file_ = posix_file_system().open(folder_.path() + "/log", OpenMode::CreateNew).value();
    REQUIRE(file_->write_at(ByteOffset{0}, log_));
    segment_ =
        std::make_shared<Segment>(SegmentId{0}, Position{0}, file_->path(), file_->map(log_.size()).value(), offsets_);
  }
  [[nodiscard]] const Segment& segment() const { return *segment_; }
  [[nodiscard]] const std::vector<std::string>& bodies() const { return bodies_; }
  [[nodiscard]] std::uint64_t size() const { return log_.size(); }
  void truncate(std::uint64_t bytes) { REQUIRE(file_->truncate(bytes)); }

 private:
  test::TempFolder folder_;
  std::shared_ptr<OffsetTable> offsets_ = std::make_shared<OffsetTable>();
  std::string log_;
  std::vector<std::string> bodies_;
  std::unique_ptr<File> file_;
  std::shared_ptr<Segment> segment_;
};

}  // namespace

TEST_CASE("Segment.RecordsOfEverySizeAtEveryPlaceInAPageComeBack") {
  SampleSegment sample;
  for (std::size_t bytes = 120; bytes < 1100; ++bytes) sample.add(bytes);
  for (const std::size_t bytes : {4095, 4096, 4097, 10'000, 70'000, 120}) sample.add(bytes);
  sample.open();
  Record record;
  for (std::size_t i = 0; i < sample.bodies().size(); ++i) {
    sample.segment().prefetch_offset(Position{i});
    sample.segment().prefetch(Position{i});
    sample.segment().read_offset_ahead(Position{i});
    sample.segment().read_ahead(Position{i});
    REQUIRE(sample.segment().read(Position{i}, record));
    REQUIRE(record.header().position == Position{i});
    REQUIRE(record.body().data == sample.bodies()[i]);
  }
  CHECK_FALSE(sample.segment().damaged());
}

TEST_CASE("Segment.APageThatCannotBeReadHarmsOnlyTheRecordsOnIt") {
  SampleSegment sample;
  for (int i = 0; i < 16; ++i) sample.add(256);  // the first page exactly
  sample.add(400);
  sample.open();
  REQUIRE(sample.size() > kMemoryPage);
  sample.truncate(kMemoryPage);
  Record record;
  for (std::uint64_t i = 0; i < 16; ++i) REQUIRE(sample.segment().read(Position{i}, record));
  CHECK_FALSE(sample.segment().damaged());
  sample.segment().prefetch(Position{16});
  sample.segment().read_ahead(Position{16});
  CHECK_FALSE(sample.segment().damaged());
  const Status beyond = sample.segment().read(Position{16}, record);
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().kind == ErrorKind::Io);
  CHECK(sample.segment().damaged());
  CHECK(sample.segment().read(Position{15}, record));
}

TEST_CASE("Segment.ARecordThatReachesBeyondTheSegmentIsCorrupt") {
  SampleSegment sample;
  sample.add(200);
  sample.add(300);
  sample.open();
  // The same bytes mapped up to the middle of the second record, and up to the middle of its frame.
  for (const std::uint64_t size : {400, 208}) {
    CAPTURE(size);
    auto offsets = std::make_shared<OffsetTable>();
    offsets->append(0);
    offsets->append(200);
    const auto file = posix_file_system().open(sample.segment().path(), OpenMode::Read).value();
    const Segment cut(SegmentId{0}, Position{0}, file->path(), file->map(size).value(), offsets);
    Record record;
    CHECK(cut.read(Position{0}, record));
    CHECK(cut.read(Position{1}, record).error().kind == ErrorKind::Corrupt);
  }
}
