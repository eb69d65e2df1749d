#include "engine/log/frame.h"

#include <doctest/doctest.h>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

using namespace stele;

namespace {

const Uuid kStore = *parse_uuid("0192f0c4-8a5e-7c31-9b1a-6f2d3e4c5b6a");

std::string segment_header() {
  return encode_segment_header({.store_id = kStore, .segment = SegmentId{3}, .created = Timestamp{-5}});
}

ErrorKind refusal(std::string_view bytes) {
  const auto decoded = decode_segment_header(bytes);
  REQUIRE_FALSE(decoded);
  return decoded.error().kind;
}

std::string group_frame(std::string_view payload) {
  std::string bytes(kFrameBytes, '\0');
  bytes += payload;
  FrameHeader header{
      .record_count = 2, .store_id = kStore, .segment = SegmentId{3}, .group = GroupNumber{9}, .first = Position{4}};
  finish_frame(bytes, header);
  return bytes;
}

}  // namespace

TEST_CASE("SegmentHeader.ComesBackAsItWas") {
  const std::string bytes = segment_header();
  CHECK(bytes.size() == kSegmentHeaderBytes);
  const auto decoded = decode_segment_header(bytes + "whatever follows");
  REQUIRE(decoded);
  CHECK(decoded->store_id == kStore);
  CHECK(decoded->segment == SegmentId{3});
  CHECK(decoded->created == Timestamp{-5});
}

TEST_CASE("SegmentHeader.EveryTruncationIsCorrupt") {
  const std::string bytes = segment_header();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(refusal(std::string_view(bytes).substr(0, size)) == ErrorKind::Corrupt);
  }
}

TEST_CASE("SegmentHeader.EveryBitFlipOfItsFieldsIsRefusedWithTheFittingKind") {
  for (std::size_t bit = 0; bit < 56 * 8; ++bit) {
    CAPTURE(bit);
    std::string bytes = segment_header();
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const std::size_t at = bit / 8;
    const ErrorKind kind = refusal(bytes);
    if (at < 8) {
      CHECK(kind == ErrorKind::Foreign);
    } else if (at == 10 || at == 11) {
      CHECK(kind == (bit == 80 ? ErrorKind::Corrupt : ErrorKind::NewerFormat));  // version 0 is not newer
    } else {
      CHECK(kind == ErrorKind::Corrupt);
    }
  }
}

TEST_CASE("SegmentHeader.ZerosAreCorruptNotForeign") {
  CHECK(refusal(std::string(kSegmentHeaderBytes, '\0')) == ErrorKind::Corrupt);
}

TEST_CASE("SegmentHeader.ALaterWriterThatAllowsThisReaderIsRead") {
  std::string bytes = segment_header();
  put_at<std::uint16_t>(bytes.data() + 8, 7);
  put_at<std::uint64_t>(bytes.data() + 48, xxh3(std::string_view(bytes).substr(0, 48)));
  CHECK(decode_segment_header(bytes));
  put_at<std::uint16_t>(bytes.data() + 10, 2);
  put_at<std::uint64_t>(bytes.data() + 48, xxh3(std::string_view(bytes).substr(0, 48)));
  CHECK(refusal(bytes) == ErrorKind::NewerFormat);
}

TEST_CASE("SegmentHeader.AnotherHeaderLengthIsCorrupt") {
  std::string bytes = segment_header();
  put_at<std::uint32_t>(bytes.data() + 12, 8192);
  put_at<std::uint64_t>(bytes.data() + 48, xxh3(std::string_view(bytes).substr(0, 48)));
  CHECK(refusal(bytes) == ErrorKind::Corrupt);
}

TEST_CASE("Frame.ComesBackAsItWas") {
  for (const std::size_t size : {0, 1, 100, 5000}) {
    const std::string payload(size, 'p');
    const std::string bytes = group_frame(payload);
    const auto header = parse_frame_header(bytes, kStore, SegmentId{3});
    REQUIRE(header);
    CHECK(header->kind == FrameKind::Group);
    CHECK(header->record_count == 2);
    CHECK(header->group == GroupNumber{9});
    CHECK(header->first == Position{4});
    CHECK(header->payload_length == size);
    CHECK(header->total_bytes() == bytes.size());
    CHECK(frame_checksum_holds(bytes));
  }
}

TEST_CASE("Frame.ARewrittenOneKeepsItsLink") {
  std::string bytes = group_frame("a payload");
  FrameHeader header = *parse_frame_header(bytes, kStore, SegmentId{3});
  const std::uint64_t link = header.link;
  bytes.replace(kFrameBytes, std::string::npos, "less");
  CHECK_FALSE(frame_checksum_holds(bytes));
  finish_rewritten_frame(bytes, header);
  CHECK(frame_checksum_holds(bytes));
  const auto parsed = parse_frame_header(bytes, kStore, SegmentId{3});
  REQUIRE(parsed);
  CHECK(parsed->link == link);
  CHECK(parsed->payload_length == 4);
  FrameHeader first = header;
  finish_frame(bytes, first);
  CHECK(first.link != link);
}

TEST_CASE("Frame.EveryBitFlipBreaksHeaderOrChecksum") {
  const std::string bytes = group_frame("some payload");
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    CAPTURE(bit);
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto header = parse_frame_header(flipped, kStore, SegmentId{3});
    const bool accepted = header && header->total_bytes() == flipped.size() && frame_checksum_holds(flipped);
    CHECK_FALSE(accepted);
  }
}

TEST_CASE("Frame.AFrameOfAnotherStoreOrSegmentIsNone") {
  const std::string bytes = group_frame("x");
  CHECK(parse_frame_header(bytes, kStore, SegmentId{3}));
  CHECK_FALSE(parse_frame_header(bytes, kStore, SegmentId{4}));
  CHECK_FALSE(parse_frame_header(bytes, Uuid{}, SegmentId{3}));
  for (std::size_t size = 0; size < kFrameBytes; ++size) {
    CHECK_FALSE(parse_frame_header(std::string_view(bytes).substr(0, size), kStore, SegmentId{3}));
  }
  CHECK_FALSE(parse_frame_header(std::string(kFrameBytes, '\0'), Uuid{}, SegmentId{0}));
}

TEST_CASE("Frame.AGroupLongerThanTheLimitIsNone") {
  std::string bytes = group_frame("x");
  put_at<std::uint32_t>(bytes.data() + 56, static_cast<std::uint32_t>(kRewrittenGroupBytesMax - kFrameBytes));
  CHECK(parse_frame_header(bytes, kStore, SegmentId{3}));
  put_at<std::uint32_t>(bytes.data() + 56, static_cast<std::uint32_t>(kRewrittenGroupBytesMax - kFrameBytes + 1));
  CHECK_FALSE(parse_frame_header(bytes, kStore, SegmentId{3}));
  put_at<std::uint32_t>(bytes.data(), static_cast<std::uint32_t>(FrameKind::Footer));
  CHECK(parse_frame_header(bytes, kStore, SegmentId{3}));
}

TEST_CASE("Footer.ComesBackAsItWas") {
  for (const std::size_t records : {0, 1, 1000}) {
    std::vector<std::uint32_t> offsets;
    for (std::size_t i = 0; i < records; ++i) offsets.push_back(static_cast<std::uint32_t>(4168 + 100 * i));
    const FrameHeader header{.kind = FrameKind::Footer,
                             .record_count = static_cast<std::uint32_t>(records),
                             .store_id = kStore,
                             .segment = SegmentId{3}};
    const Footer footer{.first_time = Timestamp{1}, .last_time = Timestamp{2}, .groups_end = ByteOffset{4096}};
    const std::string bytes = encode_footer(header, footer, offsets);
    const std::string_view view = bytes;
    CHECK(view.size() == kFrameBytes + kFooterFixedBytes + 4 * records + kFooterTrailerBytes);
    const auto parsed = parse_frame_header(bytes, kStore, SegmentId{3});
    REQUIRE(parsed);
    CHECK(frame_checksum_holds(view.substr(0, parsed->total_bytes())));
    const auto decoded = decode_footer(*parsed, view.substr(kFrameBytes, parsed->payload_length));
    REQUIRE(decoded);
    CHECK(decoded->first_time == Timestamp{1});
    CHECK(decoded->last_time == Timestamp{2});
    CHECK(decoded->groups_end == ByteOffset{4096});
    CHECK(decode_trailer(view.substr(parsed->total_bytes())) == ByteOffset{4096});
  }
}

TEST_CASE("Footer.ALengthThatDisagreesWithItsCountIsCorrupt") {
  const FrameHeader header{.kind = FrameKind::Footer, .record_count = 2};
  CHECK(decode_footer(header, std::string(kFooterFixedBytes + 8, '\0')));
  CHECK_FALSE(decode_footer(header, std::string(kFooterFixedBytes + 7, '\0')));
  CHECK_FALSE(decode_footer(header, std::string(kFooterFixedBytes + 12, '\0')));
  CHECK_FALSE(decode_footer(header, ""));
  const FrameHeader most{.kind = FrameKind::Footer, .record_count = 0xFFFFFFFF};
  CHECK_FALSE(decode_footer(most, std::string(kFooterFixedBytes, '\0')));
}

TEST_CASE("Trailer.AnythingElseIsNone") {
  std::string bytes(8, '\7');
  bytes += "STELEEND";
  CHECK(decode_trailer(bytes) == ByteOffset{0x0707070707070707});
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_trailer(std::string_view(bytes).substr(0, size)));
  CHECK_FALSE(decode_trailer(bytes + "x"));
  bytes[15] = 'd';
  CHECK_FALSE(decode_trailer(bytes));
}
