#include "engine/recovery/segment_scan.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/recovery/decision_table.h"

namespace stele {
namespace {

Error corrupt_at(std::uint64_t offset, std::string what) {
  return Error{.kind = ErrorKind::Corrupt, .message = std::move(what), .offset = offset};
}

Result<Timestamp> time_of_record(WindowReader& in, std::uint64_t offset, Record& record) {
  const auto outside = [&](std::uint64_t length) {
    return offset > in.file_size() || length > in.file_size() - offset;
  };
  if (outside(kRecordFrameBytes)) return corrupt_at(offset, "a record lies behind the end of its segment");
  STELE_ASSIGN(const std::string_view frame, in.few_bytes(offset, kRecordFrameBytes));
  STELE_ASSIGN(const std::uint32_t length, record_length(frame));
  if (outside(length)) return corrupt_at(offset, "a record reaches beyond its segment");
  STELE_ASSIGN(const std::string_view bytes, in.few_bytes(offset, length));
  std::copy(bytes.begin(), bytes.end(), record.prepare(length).data());
  STELE_TRY(record.decode());
  return record.header().time;
}

Status read_group(std::string_view payload, std::uint64_t offset, const FrameHeader& header, LogEnd& chain,
                  SegmentScan& scan, Record& record, LogVisitor& visitor) {
  std::uint64_t at = 0;
  for (std::uint32_t i = 0; i < header.record_count; ++i) {
    auto length = record_length(payload.substr(at));
    if (!length || *length > payload.size() - at) return corrupt_at(offset + at, "a record does not fit in its group");
    std::copy_n(payload.data() + at, *length, record.prepare(*length).data());
    if (Status decoded = record.decode(); !decoded) {
      decoded.error().offset = offset + at;
      return decoded;
    }
    if (record.header().position != chain.next) return corrupt_at(offset + at, "a record has the wrong position");
    if (record.header().time < chain.last_time) return corrupt_at(offset + at, "a record is older than the one before");
    if (scan.offsets->size() == 0) scan.first_time = record.header().time;
    scan.offsets->append(static_cast<std::uint32_t>(offset + at));
    STELE_TRY(visitor.record(record, header.segment, ByteOffset{offset + at}));
    chain.next = chain.next.next();
    chain.last_time = record.header().time;
    at += *length;
  }
  if (at != payload.size()) return corrupt_at(offset + at, "a group is longer than its records");
  return {};
}

/// Megabytes of zeros are looked through at each opening: each byte is compared with the one before, many at once.
bool is_zero(std::string_view bytes) {
  return bytes.empty() || (bytes.front() == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

Result<std::optional<FrameHeader>> whole_frame(WindowReader& in, const SegmentHeader& segment, std::uint64_t offset) {
  using Found = std::optional<FrameHeader>;
  if (in.file_size() - offset < kFrameBytes) return Found{};
  STELE_ASSIGN(const std::string_view bytes, in.bytes(offset, kFrameBytes));
  const Found header = parse_frame_header(bytes, segment.store_id, segment.segment);
  if (!header || header->total_bytes() > in.file_size() - offset) return Found{};
  STELE_ASSIGN(const std::string_view frame, in.bytes(offset, header->total_bytes()));
  return frame_checksum_holds(frame) ? header : Found{};
}

Result<LogEnd> chain_before(WindowReader& in, const SegmentHeader& segment, Position first) {
  std::optional<FrameHeader> header;
  if (in.file_size() >= kSegmentHeaderBytes + kFrameBytes) {
    STELE_ASSIGN(const std::string_view frame, in.few_bytes(kSegmentHeaderBytes, kFrameBytes));
    header = parse_frame_header(frame, segment.store_id, segment.segment);
  }
  if (!header || header->kind != FrameKind::Group || header->first != first || header->group == GroupNumber{0}) {
    return corrupt_at(kSegmentHeaderBytes, "the segment does not begin with its first group");
  }
  return LogEnd{.next = first,
                .last_group = GroupNumber{header->group.value() - 1},
                .last_link = header->previous_link,
                .last_time = Timestamp{INT64_MIN}};
}

Result<SegmentScan> scan_segment(WindowReader& in, const SegmentHeader& segment, LogEnd& chain, const ScanStart* start,
                                 LogVisitor& visitor) {
  SegmentScan scan;
  scan.offsets = std::make_shared<OffsetTable>();
  std::uint64_t offset = kSegmentHeaderBytes;
  const Position first = chain.next;
  Record record;
  if (start != nullptr) {
    STELE_CHECK(first.plus(start->offsets.size()) == start->point.end.next);
    for (const std::uint32_t place : start->offsets) scan.offsets->append(place);
    offset = start->point.offset.value();
    scan.last_group = start->point.last_group;
    if (!start->offsets.empty()) {
      STELE_ASSIGN(scan.first_time, time_of_record(in, start->offsets.front(), record));
    }
    chain = start->point.end;
  }
  for (;;) {
    STELE_ASSIGN(const std::optional<FrameHeader> header, whole_frame(in, segment, offset));
    if (!header || header->previous_link != chain.last_link) break;
    if (header->kind == FrameKind::Footer) {
      const std::uint64_t end = offset + header->total_bytes() + kFooterTrailerBytes;
      if (header->group != chain.last_group || header->first != first || header->record_count != scan.offsets->size() ||
          end > in.file_size()) {
        break;
      }
      STELE_ASSIGN(const std::string_view bytes, in.bytes(offset, end - offset));
      const auto footer = decode_footer(*header, bytes.substr(kFrameBytes, header->payload_length));
      if (!footer || decode_trailer(bytes.substr(bytes.size() - kFooterTrailerBytes)) != ByteOffset{offset}) break;
      for (std::uint32_t i = 0; i < header->record_count; ++i) {
        const char* const entry = bytes.data() + kFrameBytes + kFooterFixedBytes + 4ULL * i;
        if (get_at<std::uint32_t>(entry) != scan.offsets->at(i)) {
          return corrupt_at(offset, "the footer's offsets do not agree with the records");
        }
      }
      scan.sealed = true;
      scan.footer_end = ByteOffset{end};
      scan.offset_table = ByteOffset{offset + kFrameBytes + kFooterFixedBytes};
      break;
    }
    if (header->group != chain.last_group.next() || header->first != chain.next) break;
    if (header->record_count == 0) return corrupt_at(offset, "a group without records");
    STELE_ASSIGN(const std::string_view payload, in.bytes(offset + kFrameBytes, header->payload_length));
    STELE_TRY(read_group(payload, offset + kFrameBytes, *header, chain, scan, record, visitor));
    chain.last_group = header->group;
    chain.last_link = header->link;
    scan.last_group = ByteOffset{offset};
    offset += header->total_bytes();
    STELE_TRY(visitor.group(LogPoint{chain, segment.segment, scan.last_group, ByteOffset{offset}}, false));
  }
  scan.end = ByteOffset{offset};
  return scan;
}

Result<std::optional<SealedEnd>> read_sealed_end(WindowReader& in, const SegmentHeader& segment, LogEnd& chain) {
  using Found = std::optional<SealedEnd>;
  const std::uint64_t size = in.file_size();
  if (size < kSegmentHeaderBytes + kFrameBytes + kFooterFixedBytes + kFooterTrailerBytes) return Found{};
  STELE_ASSIGN(const std::string_view trailer, in.few_bytes(size - kFooterTrailerBytes, kFooterTrailerBytes));
  const auto offset = decode_trailer(trailer);
  if (!offset || offset->value() < kSegmentHeaderBytes ||
      offset->value() > size - kFrameBytes - kFooterFixedBytes - kFooterTrailerBytes) {
    return Found{};
  }
  STELE_ASSIGN(const std::string_view frame, in.few_bytes(offset->value(), kFrameBytes + kFooterFixedBytes));
  const auto header = parse_frame_header(frame, segment.store_id, segment.segment);
  if (!header || header->kind != FrameKind::Footer || header->first != chain.next ||
      header->payload_length != kFooterFixedBytes + 4ULL * header->record_count ||
      offset->value() + header->total_bytes() + kFooterTrailerBytes != size) {
    return Found{};
  }
  const auto last_time = Timestamp{get_at<std::int64_t>(frame.data() + kFrameBytes + 8)};
  const LogEnd end{.next = header->first.plus(header->record_count),
                   .last_group = header->group,
                   .last_link = header->previous_link,
                   .last_time = last_time};
  // The groups are taken on trust here, but they must begin where those of the segment before end.
  STELE_ASSIGN(const std::string_view begin, in.few_bytes(kSegmentHeaderBytes, kFrameBytes));
  const auto group = parse_frame_header(begin, segment.store_id, segment.segment);
  if (!group || group->first != chain.next || group->previous_link != chain.last_link ||
      (group->kind == FrameKind::Group && group->group != chain.last_group.next())) {
    return Found{};
  }
  chain = end;
  return Found(SealedEnd{.footer_end = ByteOffset{size},
                         .offset_table = ByteOffset{offset->value() + kFrameBytes + kFooterFixedBytes}});
}

Result<SealedStart> find_sealed_start(WindowReader& in, const SegmentHeader& segment, Position first,
                                      const LogPoint& point) {
  const std::uint64_t size = in.file_size();
  SealedStart found;
  if (size < kSegmentHeaderBytes + kFrameBytes + kFooterFixedBytes + kFooterTrailerBytes) return found;
  STELE_ASSIGN(const std::string_view trailer, in.few_bytes(size - kFooterTrailerBytes, kFooterTrailerBytes));
  const auto offset = decode_trailer(trailer);
  if (!offset || offset->value() < kSegmentHeaderBytes || offset->value() > size - kFooterTrailerBytes) return found;
  STELE_ASSIGN(const std::optional<FrameHeader> footer, whole_frame(in, segment, offset->value()));
  if (!footer || footer->kind != FrameKind::Footer ||
      footer->payload_length != kFooterFixedBytes + 4ULL * footer->record_count ||
      offset->value() + footer->total_bytes() + kFooterTrailerBytes != size) {
    return found;
  }
  found.sealed = true;
  const Position end = first.plus(footer->record_count);
  const Position next = point.end.next;
  if (segment.segment != point.segment || footer->first != first || next <= first || next > end) return found;
  ScanStart start{point, {}};
  start.offsets.resize(next.since(first));
  STELE_ASSIGN(const std::string_view table,
               in.bytes(offset->value() + kFrameBytes + kFooterFixedBytes, 4ULL * footer->record_count));
  std::memcpy(start.offsets.data(), table.data(), 4 * start.offsets.size());
  FrameHeader behind = *footer;
  std::uint64_t at = offset->value();
  if (next < end) {
    const auto record = get_at<std::uint32_t>(table.data() + 4 * start.offsets.size());
    if (record < kSegmentHeaderBytes + kFrameBytes || record > at) return found;
    at = record - kFrameBytes;
    STELE_ASSIGN(const std::optional<FrameHeader> group, whole_frame(in, segment, at));
    if (!group || group->kind != FrameKind::Group || group->first != next) return found;
    behind = *group;
    behind.group = GroupNumber{group->group.value() - 1};
  }
  if (behind.previous_link != point.end.last_link || behind.group != point.end.last_group) return found;
  start.point.offset = ByteOffset{at};
  found.start = std::move(start);
  return found;
}

Result<bool> point_fits(WindowReader& in, const SegmentHeader& segment, const LogPoint& point) {
  if (segment.segment != point.segment || point.last_group.value() < kSegmentHeaderBytes ||
      point.last_group >= point.offset || point.offset.value() > in.file_size()) {
    return false;
  }
  STELE_ASSIGN(const std::optional<FrameHeader> group, whole_frame(in, segment, point.last_group.value()));
  return group && group->kind == FrameKind::Group && group->group == point.end.last_group &&
         group->link == point.end.last_link && group->first.plus(group->record_count) == point.end.next &&
         point.last_group.plus(group->total_bytes()) == point.offset;
}

Result<std::optional<ByteOffset>> find_group_beyond(WindowReader& in, const SegmentHeader& segment, GroupNumber number,
                                                    std::uint64_t from, std::uint64_t to) {
  constexpr std::uint64_t kStep = 256 * 1024;
  using Found = std::optional<ByteOffset>;
  char magic[4];
  put_at<std::uint32_t>(magic, static_cast<std::uint32_t>(FrameKind::Group));
  const std::string_view pattern(magic, sizeof magic);
  for (std::uint64_t at = from; at + kFrameBytes <= to;) {
    STELE_ASSIGN(const std::string_view bytes, in.bytes(at, std::min(kStep, in.file_size() - at)));
    const std::size_t found = bytes.find(pattern);
    if (found == std::string_view::npos) {
      at += bytes.size() < kStep ? bytes.size() : kStep - (pattern.size() - 1);
      continue;
    }
    STELE_ASSIGN(const std::optional<FrameHeader> whole, whole_frame(in, segment, at + found));
    if (whole && whole->group > number) return Found(ByteOffset{at + found});
    at += found + 1;
  }
  return Found{};
}

Result<TailObservation> observe_tail(WindowReader& in, const SegmentHeader& segment, const SegmentScan& scan,
                                     const LogEnd& chain) {
  constexpr std::uint64_t kStep = 256 * 1024;
  const std::uint64_t end = scan.end.value();
  const std::uint64_t size = in.file_size();
  TailObservation seen;
  seen.bytes_end = scan.end;
  if (scan.sealed) {
    seen.flags = kSealed;
    return seen;
  }

  // A crash leaves bytes within the length of one group; only if there are some is the rest of the file of interest.
  std::uint64_t look_until = std::min(size, end + kGroupBytesMax);
  for (std::uint64_t at = end; at < look_until; at += kStep) {
    STELE_ASSIGN(const std::string_view bytes, in.bytes(at, std::min(kStep, size - at)));
    if (is_zero(bytes)) continue;
    seen.bytes_end = ByteOffset{at + bytes.find_last_not_of('\0') + 1};
    look_until = size;
  }
  if (seen.bytes_end == scan.end) return seen;
  seen.flags |= kBytesBehind;

  STELE_ASSIGN(const std::string_view next, in.bytes(end, std::min<std::uint64_t>(kFrameBytes, size - end)));
  if (!is_zero(next)) seen.flags |= kStartsNonZero;
  if (const auto header = parse_frame_header(next, segment.store_id, segment.segment)) {
    seen.flags |= kFrameHeader;
    if (header->kind == FrameKind::Footer) seen.flags |= kFooterHeader;
    STELE_ASSIGN(const std::optional<FrameHeader> whole, whole_frame(in, segment, end));
    if (whole) seen.flags |= kFrameWhole;
  }

  STELE_ASSIGN(const auto later, find_group_beyond(in, segment, chain.last_group.next(), end, seen.bytes_end.value()));
  if (later) seen.flags |= kLaterGroup;
  return seen;
}

}  // namespace stele
