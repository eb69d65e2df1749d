#include "engine/log/segment.h"

#include <algorithm>
#include <array>

#include "engine/base/bytes.h"

namespace stele {

Status Segment::read(Position position, Record& to) const {
  Status status = read_unmarked(position, to);
  if (!status) {
    if (status.error().file.empty()) status.error().file = path_;
    mark_damaged(status.error());
  }
  return status;
}

void Segment::mark_damaged(const Error& error) const {
  const std::lock_guard lock(damage_mutex_);
  if (damage_.empty()) damage_ = error.describe();
  damaged_.store(true, std::memory_order_release);
}

std::string Segment::damage() const {
  const std::lock_guard lock(damage_mutex_);
  return damage_;
}

Status Segment::read_unmarked(Position position, Record& to) const {
  const std::uint64_t index = position.since(first_);
  std::uint32_t offset = 0;
  if (offsets_) {
    offset = offsets_->at(index);
  } else {
    std::array<char, sizeof offset> bytes;
    STELE_TRY(mapping_->copy_out(table_.plus(index * sizeof offset), bytes));
    offset = get_at<std::uint32_t>(bytes.data());
  }
  std::array<char, kRecordFrameBytes> frame;
  STELE_TRY(mapping_->copy_out(ByteOffset{offset}, frame));
  STELE_ASSIGN(const std::uint32_t length, record_length({frame.data(), frame.size()}));
  if (length > mapping_->size() || offset > mapping_->size() - length) {
    return Error{.kind = ErrorKind::Corrupt, .message = "record reaches beyond its segment", .offset = offset};
  }
  STELE_TRY(mapping_->copy_out(ByteOffset{offset}, to.prepare(length)));
  if (Status decoded = to.decode(); !decoded) {
    decoded.error().offset = offset;
    return decoded;
  }
  if (to.header().position != position) {
    return Error{.kind = ErrorKind::Corrupt,
                 .message = "record claims position " + std::to_string(to.header().position.value()) + " but stands at " +
                            std::to_string(position.value()),
                 .offset = offset};
  }
  return {};
}

Status read_record(const SegmentList& segments, Position position, Record& to) {
  const auto behind = std::upper_bound(segments.begin(), segments.end(), position,
                                       [](Position p, const auto& segment) { return p < segment->first(); });
  STELE_CHECK(behind != segments.begin());
  return (*std::prev(behind))->read(position, to);
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
