// A whole segment file: header, groups, footer, and what stands behind the last group.
//
// Input: one byte of flags, 56 bytes of header, then what follows the header's 4,096 bytes in the file. The flags say
// what is put right before the scan, because no fuzzer guesses checksums and chains.

#include "engine/recovery/segment_scan.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/log/segment.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/sample_records.h"

namespace stele {
namespace {

constexpr std::size_t kUsedHeaderBytes = 56;
enum Mend : unsigned { kMendHeader = 1, kMendFrames = 2, kMendRecords = 4 };

const SegmentHeader& sample_header() {
  static const SegmentHeader header{.store_id = *parse_uuid("0192f0c4-8a5e-7c31-9b1a-6f2d3e4c5b6a"),
                                    .segment = SegmentId{1},
                                    .created = Timestamp{1'767'323'045'000'000}};
  return header;
}

/// Gives each record its place and checksum; stops where no record can begin.
void mend_records(std::string& file, std::size_t at, std::size_t end, std::uint64_t position) {
  while (end - at >= kRecordFrameBytes) {
    const auto length = record_length(std::string_view(file).substr(at, end - at));
    if (!length || *length > end - at) return;
    put_at<std::uint64_t>(file.data() + at + kRecordFrameBytes + 8, position++);
    put_at<std::uint64_t>(file.data() + at + 8, xxh3({file.data() + at, 8}, {file.data() + at + kRecordFrameBytes,
                                                                             *length - kRecordFrameBytes}));
    at += *length;
  }
}

/// Gives each frame the ids and numbers that continue the chain, and its link and checksum.
void mend_frames(std::string& file, bool records) {
  std::uint64_t group = 0, position = 0, link = 0;
  for (std::size_t at = kSegmentHeaderBytes; file.size() - at >= kFrameBytes;) {
    char* const frame = file.data() + at;
    const bool footer = get_at<std::uint32_t>(frame) == static_cast<std::uint32_t>(FrameKind::Footer);
    const auto count = get_at<std::uint32_t>(frame + 4);
    const std::size_t payload =
        std::min<std::size_t>(get_at<std::uint32_t>(frame + 56), file.size() - at - kFrameBytes);
    std::copy_n(sample_header().store_id.bytes.begin(), 16, reinterpret_cast<std::uint8_t*>(frame + 8));
    put_at<std::uint64_t>(frame + 24, sample_header().segment.value());
    put_at<std::uint64_t>(frame + 32, footer ? group : ++group);
    put_at<std::uint64_t>(frame + 40, footer ? 0 : position);
    put_at<std::uint64_t>(frame + 48, link);
    put_at<std::uint32_t>(frame + 56, static_cast<std::uint32_t>(payload));
    put_at<std::uint32_t>(frame + 60, 0);
    if (records && !footer) mend_records(file, at + kFrameBytes, at + kFrameBytes + payload, position);
    link = xxh3({frame, 64}, {frame + kFrameBytes, payload});
    put_at<std::uint64_t>(frame + 64, link);
    put_at<std::uint64_t>(frame + 72, xxh3(std::string(frame + 64, 8) + std::string(frame + 64, 8)));
    position += count;
    at += kFrameBytes + payload;
  }
}

std::string as_input(std::string_view file, unsigned mend) {
  return static_cast<char>(mend) + std::string(file.substr(0, kUsedHeaderBytes)) +
         std::string(file.substr(kSegmentHeaderBytes));
}

/// Two groups of three records; sealed, open, or with a torn third group.
std::vector<std::string> seeds() {
  std::string file = encode_segment_header(sample_header());
  FrameHeader chain{.store_id = sample_header().store_id, .segment = sample_header().segment};
  std::vector<std::uint32_t> offsets;
  for (int group = 1; group <= 2; ++group) {
    std::string frame(kFrameBytes, '\0');
    chain.first = Position{offsets.size()};
    for (int i = 0; i < 3; ++i) {
      offsets.push_back(static_cast<std::uint32_t>(file.size() + frame.size()));
      frame += fuzz::sample_record(offsets.size() == 1 ? 0 : i, offsets.size() - 1);
    }
    chain.record_count = 3;
    chain.group = GroupNumber{static_cast<std::uint64_t>(group)};
    chain.previous_link = chain.link;
    finish_frame(frame, chain);
    file += frame;
  }
  FrameHeader footer = chain;
  footer.kind = FrameKind::Footer;
  footer.record_count = static_cast<std::uint32_t>(offsets.size());
  footer.first = Position{0};
  footer.previous_link = chain.link;
  const std::string sealed = file + encode_footer(footer, Footer{.groups_end = ByteOffset{file.size()}}, offsets);
  const std::string open = file + std::string(512, '\0');
  const std::string torn = file + file.substr(kSegmentHeaderBytes, 100) + std::string(200, '\0') + "torn";
  std::vector<std::string> all;
  for (const std::string& each : {sealed, open, torn}) {
    for (const unsigned mend : {0U, static_cast<unsigned>(kMendHeader | kMendFrames | kMendRecords)}) {
      all.push_back(as_input(each, mend));
    }
  }
  return all;
}

/// Every record that the scan counted can be read back through the footer's table or the scan's own.
void check_readable(const fuzz::MemoryFile& file, const SegmentHeader& header, const SegmentScan& scan,
                    std::uint64_t records) {
  auto mapping = file.map(scan.sealed ? scan.footer_end.value() : file.size().value());
  STELE_CHECK(mapping);
  const auto segment =
      scan.sealed
          ? std::make_unique<Segment>(header.segment, Position{0}, "memory", std::move(*mapping), scan.offset_table)
          : std::make_unique<Segment>(header.segment, Position{0}, "memory", std::move(*mapping),
                                      std::shared_ptr<const OffsetTable>(scan.offsets));
  Record record;
  for (std::uint64_t i = 0; i < records; ++i) STELE_CHECK(segment->read(Position{i}, record));
  STELE_CHECK(!segment->damaged());
}

struct Counter final : LogVisitor {
  std::uint64_t visited = 0;
  Status record(const Record& record, SegmentId, ByteOffset) override {
    STELE_CHECK(record.header().position == Position{visited});
    ++visited;
    return {};
  }
  Status group(const LogPoint& point, bool) override {
    STELE_CHECK(point.end.next == Position{visited} && point.last_group < point.offset);
    return {};
  }
};

}  // namespace

FUZZ_TARGET(segment, seeds) {
  if (input.size() < 1 + kUsedHeaderBytes) return;
  const auto mend = static_cast<unsigned char>(input[0]);
  std::string bytes(input.substr(1, kUsedHeaderBytes));
  bytes.resize(kSegmentHeaderBytes, '\0');
  bytes += input.substr(1 + kUsedHeaderBytes);
  if ((mend & kMendHeader) != 0) {
    bytes.replace(0, kSegmentHeaderBytes, encode_segment_header(sample_header()));
  }
  if ((mend & kMendFrames) != 0) mend_frames(bytes, (mend & kMendRecords) != 0);

  const auto header = decode_segment_header(std::string_view(bytes).substr(0, kSegmentHeaderBytes));
  if (!header) return;
  const fuzz::MemoryFile file(bytes);
  WindowReader in(file, bytes.size());
  LogEnd chain;
  Counter counter;
  const auto scan = scan_segment(in, *header, chain, nullptr, counter);
  if (!scan) return;
  const std::uint64_t visited = counter.visited;
  STELE_CHECK(chain.next == Position{visited} && scan->offsets->size() == visited);
  STELE_CHECK(scan->end.value() >= kSegmentHeaderBytes && scan->end.value() <= bytes.size());
  if (scan->sealed) STELE_CHECK(scan->footer_end > scan->end && scan->footer_end.value() <= bytes.size());
  check_readable(file, *header, *scan, visited);
  if (visited > 0) {
    const LogPoint end{chain, header->segment, scan->last_group, scan->end};
    STELE_CHECK(point_fits(in, *header, end).value());
  }
  LogEnd from_footer;
  const auto sealed_end = read_sealed_end(in, *header, from_footer);
  STELE_CHECK(sealed_end);
  // A footer at the end of the file may only say what the walk found, unless its groups are damaged.
  if (*sealed_end && scan->sealed && (*sealed_end)->footer_end == scan->footer_end) {
    STELE_CHECK(from_footer.next == chain.next && from_footer.last_link == chain.last_link);
  }
  const auto tail = observe_tail(in, *header, *scan, chain);
  STELE_CHECK(tail);
  STELE_CHECK(tail->bytes_end >= scan->end && tail->bytes_end.value() <= bytes.size());
}

}  // namespace stele
