#include "engine/log/segment.h"

#include <algorithm>
#include <array>
#include <span>

#include "engine/base/bytes.h"

namespace stele {
namespace {

constexpr std::uint64_t kMemoryPageBytes = 4096;
/// More than most records have.
constexpr std::uint64_t kFirstBytes = 512;

const Segment& segment_of(const SegmentList& segments, Position position) {
  const auto behind = std::upper_bound(segments.begin(), segments.end(), position,
                                       [](Position p, const auto& segment) { return p < segment->first(); });
  STELE_CHECK(behind != segments.begin());
  return **std::prev(behind);
}

}  // namespace

Status Segment::read(Position position, Record& to) const {
  Status status = read_unmarked(position, to);
  if (!status) {
    if (status.error().file.empty()) status.error().file = path_;
    mark_damaged(status.error());
  }
  return status;
}

void Segment::mark_damaged(const Error& error) const {
  const MutexLock lock(damage_mutex_);
  if (damage_.empty()) damage_ = error.describe();
  damaged_.store(true, std::memory_order_release);
}

std::string Segment::damage() const {
  const MutexLock lock(damage_mutex_);
  return damage_;
}

Result<std::uint32_t> Segment::offset_of(Position position) const {
  const std::uint64_t index = position.since(first_);
  if (offsets_) return offsets_->at(index);
  std::array<char, sizeof(std::uint32_t)> bytes;
  STELE_TRY(mapping_->copy_out(table_.plus(index * bytes.size()), bytes));
  return get_at<std::uint32_t>(bytes.data());
}

void Segment::prefetch(Position position) const {
  const auto offset = offset_of(position);
  if (offset) mapping_->prefetch(ByteOffset{*offset}, kFirstBytes);
}

void Segment::prefetch_offset(Position position) const {
  const std::uint64_t index = position.since(first_);
  if (offsets_) {
    offsets_->prefetch(index);
  } else {
    mapping_->prefetch(table_.plus(index * sizeof(std::uint32_t)), sizeof(std::uint32_t));
  }
}

void Segment::read_ahead(Position position) const {
  const auto offset = offset_of(position);
  if (offset) mapping_->read_ahead(ByteOffset{*offset}, kFirstBytes);
}

void Segment::read_offset_ahead(Position position) const {
  if (!offsets_)
    mapping_->read_ahead(table_.plus(position.since(first_) * sizeof(std::uint32_t)), sizeof(std::uint32_t));
}

Status Segment::read_unmarked(Position position, Record& to) const {
  STELE_ASSIGN(const std::uint32_t offset, offset_of(position));
  const auto beyond = [offset] {
    return Error{.kind = ErrorKind::Corrupt, .message = "record reaches beyond its segment", .offset = offset};
  };
  const std::uint64_t size = mapping_->size();
  if (offset > size || size - offset < kRecordFrameBytes) return beyond();
  // Most records are whole after the first copy. It ends with the page, so that no page is touched that the record is
  // not on.
  const std::uint64_t rest_of_page = kMemoryPageBytes - offset % kMemoryPageBytes;
  const std::uint64_t first =
      std::max<std::uint64_t>(kRecordFrameBytes, std::min({kFirstBytes, rest_of_page, size - offset}));
  const std::span<char> begin = to.prepare(first);
  STELE_TRY(mapping_->copy_out(ByteOffset{offset}, begin));
  STELE_ASSIGN(const std::uint32_t length, record_length({begin.data(), begin.size()}));
  if (length > size - offset) return beyond();
  const std::span<char> bytes = to.prepare(length);
  if (length > first) STELE_TRY(mapping_->copy_out(ByteOffset{offset + first}, bytes.subspan(first)));
  if (Status decoded = to.decode(); !decoded) {
    decoded.error().offset = offset;
    return decoded;
  }
  if (to.header().position != position) {
    return Error{.kind = ErrorKind::Corrupt,
                 .message = "record claims position " + std::to_string(to.header().position.value()) +
                            " but stands at " + std::to_string(position.value()),
                 .offset = offset};
  }
  return {};
}

Status read_record(const SegmentList& segments, Position position, Record& to) {
  return segment_of(segments, position).read(position, to);
}

void prefetch_record(const SegmentList& segments, Position position) {
  segment_of(segments, position).prefetch(position);
}

void prefetch_offset(const SegmentList& segments, Position position) {
  segment_of(segments, position).prefetch_offset(position);
}

void read_ahead(const SegmentList& segments, std::span<const Position> positions) {
  for (const Position position : positions) segment_of(segments, position).read_offset_ahead(position);
  for (const Position position : positions) segment_of(segments, position).read_ahead(position);
}

Result<Position> first_at_or_after(const SegmentList& segments, Position begin, Position end, Timestamp time) {
  Record record;
  while (begin < end) {
    const Position middle = begin.plus(end.since(begin) / 2);
    STELE_TRY(read_record(segments, middle, record));
    if (record.header().time < time) {
      begin = middle.next();
    } else {
      end = middle;
    }
  }
  return begin;
}

}  // namespace stele
