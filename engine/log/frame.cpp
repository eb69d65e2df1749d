#include "engine/log/frame.h"

#include <array>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"

namespace stele {
namespace {

constexpr std::string_view kSegmentMagic = "STELESEG";
constexpr std::string_view kTrailerMagic = "STELEEND";
constexpr std::size_t kSegmentHeaderFields = 48;  // what the checksum covers
constexpr std::size_t kLinkAt = 64;
constexpr std::size_t kFrameChecksumAt = 72;

/// Of what may change when the frame is rewritten.
std::uint64_t content_hash(std::string_view frame) { return xxh3(frame.substr(0, kLinkAt), frame.substr(kFrameBytes)); }

std::uint64_t checksum_of(std::uint64_t content, std::uint64_t link) {
  std::array<char, 16> both;
  put_at<std::uint64_t>(both.data(), content);
  put_at<std::uint64_t>(both.data() + 8, link);
  return xxh3({both.data(), both.size()});
}

void write_fields(std::string& frame, FrameHeader& header) {
  STELE_CHECK(frame.size() >= kFrameBytes);
  header.payload_length = static_cast<std::uint32_t>(frame.size() - kFrameBytes);
  char* to = frame.data();
  put_at<std::uint32_t>(to, static_cast<std::uint32_t>(header.kind));
  put_at<std::uint32_t>(to + 4, header.record_count);
  std::memcpy(to + 8, header.store_id.bytes.data(), 16);
  put_at<std::uint64_t>(to + 24, header.segment.value());
  put_at<std::uint64_t>(to + 32, header.group.value());
  put_at<std::uint64_t>(to + 40, header.first.value());
  put_at<std::uint64_t>(to + 48, header.previous_link);
  put_at<std::uint32_t>(to + 56, header.payload_length);
  put_at<std::uint32_t>(to + 60, 0);
}

void write_hashes(std::string& frame, std::uint64_t content, std::uint64_t link) {
  put_at<std::uint64_t>(frame.data() + kLinkAt, link);
  put_at<std::uint64_t>(frame.data() + kFrameChecksumAt, checksum_of(content, link));
}

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  std::string bytes(kSegmentMagic);
  put<std::uint16_t>(bytes, kFormatVersion);
  put<std::uint16_t>(bytes, kFormatVersion);  // the oldest reader version that may read it
  put<std::uint32_t>(bytes, kSegmentHeaderBytes);
  bytes.append(as_bytes(header.store_id));
  put<std::uint64_t>(bytes, header.segment.value());
  put<std::int64_t>(bytes, header.created.micros);
  STELE_CHECK(bytes.size() == kSegmentHeaderFields);
  put<std::uint64_t>(bytes, xxh3(bytes));
  bytes.resize(kSegmentHeaderBytes, '\0');
  return bytes;
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes) {
  const auto corrupt = [](const char* what) {
    return Error{.kind = ErrorKind::Corrupt, .message = std::string("segment header: ") + what, .offset = 0};
  };
  if (bytes.size() < kSegmentHeaderBytes) return corrupt("file is shorter than a header");
  ByteReader in(bytes);
  const std::string_view magic = in.take_bytes(kSegmentMagic.size());
  if (magic.find_first_not_of('\0') == std::string_view::npos) return corrupt("is empty");
  if (magic != kSegmentMagic) {
    return Error{.kind = ErrorKind::Foreign, .message = "not a Stele segment: wrong magic number", .offset = 0};
  }
  const auto version = in.take<std::uint16_t>();
  const auto reader_version_min = in.take<std::uint16_t>();
  if (reader_version_min > kFormatVersion) {
    return Error{.kind = ErrorKind::NewerFormat,
                 .message = "segment format " + std::to_string(version) + " needs a reader of version " +
                            std::to_string(reader_version_min) + ", this one is " + std::to_string(kFormatVersion)};
  }
  if (xxh3(bytes.substr(0, kSegmentHeaderFields)) != get_at<std::uint64_t>(bytes.data() + kSegmentHeaderFields)) {
    return corrupt("checksum mismatch");
  }
  if (in.take<std::uint32_t>() != kSegmentHeaderBytes) return corrupt("unexpected header length");
  SegmentHeader header;
  header.store_id = in.take_uuid();
  header.segment = SegmentId{in.take<std::uint64_t>()};
  header.created = Timestamp{in.take<std::int64_t>()};
  return header;
}

void finish_frame(std::string& frame, FrameHeader& header) {
  write_fields(frame, header);
  header.link = content_hash(frame);
  write_hashes(frame, header.link, header.link);
}

void finish_rewritten_frame(std::string& frame, FrameHeader& header) {
  write_fields(frame, header);
  write_hashes(frame, content_hash(frame), header.link);
}

std::optional<FrameHeader> parse_frame_header(std::string_view bytes, const Uuid& store, SegmentId segment) {
  if (bytes.size() < kFrameBytes) return std::nullopt;
  ByteReader in(bytes);
  FrameHeader header;
  const auto kind = in.take<std::uint32_t>();
  if (kind != static_cast<std::uint32_t>(FrameKind::Group) && kind != static_cast<std::uint32_t>(FrameKind::Footer)) {
    return std::nullopt;
  }
  header.kind = static_cast<FrameKind>(kind);
  header.record_count = in.take<std::uint32_t>();
  header.store_id = in.take_uuid();
  header.segment = SegmentId{in.take<std::uint64_t>()};
  header.group = GroupNumber{in.take<std::uint64_t>()};
  header.first = Position{in.take<std::uint64_t>()};
  header.previous_link = in.take<std::uint64_t>();
  header.payload_length = in.take<std::uint32_t>();
  const auto reserved = in.take<std::uint32_t>();
  header.link = in.take<std::uint64_t>();
  const bool too_long = header.kind == FrameKind::Group && header.total_bytes() > kRewrittenGroupBytesMax;
  if (header.store_id != store || header.segment != segment || reserved != 0 || too_long) return std::nullopt;
  return header;
}

bool frame_checksum_holds(std::string_view frame) {
  const auto link = get_at<std::uint64_t>(frame.data() + kLinkAt);
  return checksum_of(content_hash(frame), link) == get_at<std::uint64_t>(frame.data() + kFrameChecksumAt);
}

std::string encode_footer(FrameHeader header, const Footer& footer, const std::vector<std::uint32_t>& offsets) {
  STELE_CHECK(header.kind == FrameKind::Footer && header.record_count == offsets.size());
  std::string bytes(kFrameBytes, '\0');
  put<std::int64_t>(bytes, footer.first_time.micros);
  put<std::int64_t>(bytes, footer.last_time.micros);
  put<std::uint64_t>(bytes, footer.groups_end.value());
  for (const std::uint32_t offset : offsets) put<std::uint32_t>(bytes, offset);
  finish_frame(bytes, header);
  put<std::uint64_t>(bytes, footer.groups_end.value());
  bytes.append(kTrailerMagic);
  return bytes;
}

Result<Footer> decode_footer(const FrameHeader& header, std::string_view payload) {
  if (payload.size() != kFooterFixedBytes + 4ULL * header.record_count) {
    return Error{.kind = ErrorKind::Corrupt, .message = "segment footer: length does not agree with its record count"};
  }
  ByteReader in(payload);
  Footer footer;
  footer.first_time = Timestamp{in.take<std::int64_t>()};
  footer.last_time = Timestamp{in.take<std::int64_t>()};
  footer.groups_end = ByteOffset{in.take<std::uint64_t>()};
  return footer;
}

std::optional<ByteOffset> decode_trailer(std::string_view bytes) {
  ByteReader in(bytes);
  const ByteOffset offset{in.take<std::uint64_t>()};
  if (in.take_bytes(kTrailerMagic.size()) != kTrailerMagic || !in.at_end()) return std::nullopt;
  return offset;
}

}  // namespace stele
