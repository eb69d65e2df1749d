#include "engine/log/log_writer.h"

#include <algorithm>
#include <array>

#include "engine/log/log_folder.h"

namespace stele {
namespace {

std::uint64_t footer_bytes(std::uint64_t records) {
  return kFrameBytes + kFooterFixedBytes + 4 * records + kFooterTrailerBytes;
}

}  // namespace

LogWriter::LogWriter(PreallocatorOptions options, LogEnd end, SegmentId next_segment)
    : options_(options), preallocator_(std::move(options)), end_(end), next_segment_(next_segment) {}

Result<std::shared_ptr<const Segment>> LogWriter::resume(ActiveSegment active) {
  STELE_CHECK(!active_);
  STELE_ASSIGN(std::unique_ptr<Mapping> mapping, active.file->map(active.file_bytes));
  return activate(std::move(active), std::move(mapping));
}

Result<std::shared_ptr<const Segment>> LogWriter::activate(ActiveSegment active, std::unique_ptr<Mapping> mapping) {
  STELE_ASSIGN(const FileInfo info, active.file->about());
  last_head_.clear();
  if (active.last_group.value() > 0) {
    last_head_.resize(kFrameBytes);
    if (!active.file->read_at(active.last_group, last_head_)) last_head_.clear();  // told by whoever must read
  }
  if (options_.guard != nullptr) {
    options_.guard->watch_segment(active.file->path(), info);
    if (!last_head_.empty()) options_.guard->watch_group(active.last_group, last_head_);
  }
  auto segment = std::make_shared<const Segment>(active.id, active.first, active.file->path(), std::move(mapping),
                                                 std::shared_ptr<const OffsetTable>(active.offsets));
  next_segment_ = active.id.next();
  active_ = std::move(active);
  next_is_wanted_ = false;
  want_next_when_half_full();
  return segment;
}

void LogWriter::want_next_when_half_full() {
  if (next_is_wanted_ || active_->end.value() < active_->file_bytes / 2) return;
  next_is_wanted_ = true;
  preallocator_.want(next_segment_);
}

LogWriter::Room LogWriter::room() const {
  if (!active_) return {};
  return Room{active_->end.value(), active_->offsets->size(), active_->file_bytes};
}

bool LogWriter::Room::fits(std::uint64_t bytes) const {
  // The records of the group are not counted yet, but each takes at least 96 bytes.
  return end + bytes + footer_bytes(records + bytes / 96) <= file_bytes;
}

std::uint64_t LogWriter::group_bytes_max() const {
  const std::uint64_t room = options_.segment_bytes - kSegmentHeaderBytes - footer_bytes(0);
  return std::min(kGroupBytesMax, room / 100 * 96);  // 96 bytes of record need 4 of footer
}

Result<LogWriter::Rolled> LogWriter::roll(bool fill) {
  if (options_.guard != nullptr) {
    const Status in_place = options_.guard->look();
    poisoned_ = !in_place && in_place.error().kind == ErrorKind::Displaced;
    if (!in_place) preallocator_.want(next_segment_);  // it asks again and again, and so notices when all is well
    STELE_TRY(in_place);
  }
  // Everything that may fail for want of space or memory comes before anything is changed.
  auto taken = preallocator_.take(next_segment_, fill);
  if (!taken) {
    preallocator_.want(next_segment_);  // it goes on trying, and so notices when there is room
    return taken.error();
  }
  std::unique_ptr<File> file = std::move(*taken);
  const auto give_back = [&](const Error& error) {
    preallocator_.give_back(next_segment_, std::move(file));
    return error;
  };
  auto mapping = file->map(options_.segment_bytes);
  if (!mapping) return give_back(mapping.error());
  // While the segment before is still locked: at every moment one of the two is.
  if (Status locked = file->lock(); !locked && locked.error().kind != ErrorKind::Unsupported)
    return give_back(locked.error());
  Seal prepared;
  if (active_) {
    auto made = prepare_seal();
    if (!made) return give_back(made.error());
    prepared = std::move(*made);
  }

  Rolled rolled;
  poisoned_ = true;  // unless all of the following succeeds
  if (active_) {
    STELE_ASSIGN(rolled.sealed, seal(std::move(prepared)));
  }
  STELE_TRY(file->rename(options_.folder + "/" + segment_name(next_segment_)));
  STELE_TRY(options_.file_system->sync_directory(options_.folder));
  active_ = std::nullopt;
  STELE_ASSIGN(rolled.active, activate(ActiveSegment{.file = std::move(file),
                                                     .id = next_segment_,
                                                     .first = end_.next,
                                                     .first_time = {},
                                                     .end = ByteOffset{kSegmentHeaderBytes},
                                                     .last_group = {},
                                                     .file_bytes = options_.segment_bytes,
                                                     .offsets = std::make_shared<OffsetTable>()},
                                       std::move(*mapping)));
  poisoned_ = false;
  return rolled;
}

Result<LogWriter::Seal> LogWriter::prepare_seal() const {
  const FrameHeader header{.kind = FrameKind::Footer,
                           .record_count = static_cast<std::uint32_t>(active_->offsets->size()),
                           .store_id = options_.store_id,
                           .segment = active_->id,
                           .group = end_.last_group,
                           .first = active_->first,
                           .previous_link = end_.last_link};
  const Footer footer{.first_time = active_->first_time, .last_time = end_.last_time, .groups_end = active_->end};
  Seal prepared;
  prepared.footer = encode_footer(header, footer, active_->offsets->all());
  STELE_ASSIGN(prepared.mapping, active_->file->map(active_->end.value() + prepared.footer.size()));
  return prepared;
}

Result<std::shared_ptr<const Segment>> LogWriter::seal(Seal prepared) {
  STELE_TRY(active_->file->write_at(active_->end, prepared.footer));
  STELE_TRY(active_->file->sync_data());
  // Only space is at stake: recovery finds the footer behind the last group as well as at the end of the file.
  (void)active_->file->truncate(active_->end.value() + prepared.footer.size());
  return std::make_shared<const Segment>(active_->id, active_->first, active_->file->path(),
                                         std::move(prepared.mapping),
                                         ByteOffset{active_->end.value() + kFrameBytes + kFooterFixedBytes});
}

Status LogWriter::append(std::string& frame, std::span<const std::uint32_t> record_offsets, Timestamp first_time,
                         Timestamp last_time) {
  STELE_CHECK(active_ && !poisoned_ && room().fits(frame.size()) && !record_offsets.empty());
  FrameHeader header{.kind = FrameKind::Group,
                     .record_count = static_cast<std::uint32_t>(record_offsets.size()),
                     .store_id = options_.store_id,
                     .segment = active_->id,
                     .group = end_.last_group.next(),
                     .first = end_.next,
                     .previous_link = end_.last_link};
  finish_frame(frame, header);
  poisoned_ = true;  // unless all of the following succeeds
  // Behind what somebody put in the place of the last group, another one would be damage in the middle.
  STELE_TRY(check_last());
  STELE_TRY(active_->file->write_at(active_->end, frame));
  const std::int64_t began = nanos_now();
  STELE_TRY(active_->file->sync_data());
  sync_nanos_.record(nanos_since(began));
  const std::string_view head = std::string_view(frame).substr(0, kFrameBytes);
  STELE_TRY(check_active(head));
  poisoned_ = false;

  if (active_->offsets->size() == 0) active_->first_time = first_time;
  for (const std::uint32_t offset : record_offsets) {
    active_->offsets->append(static_cast<std::uint32_t>(active_->end.value()) + offset);
  }
  last_head_ = head;
  if (options_.guard != nullptr) options_.guard->watch_group(active_->end, last_head_);
  active_->last_group = active_->end;
  active_->end = active_->end.plus(frame.size());
  end_ = LogEnd{.next = end_.next.plus(record_offsets.size()),
                .last_group = header.group,
                .last_link = header.link,
                .last_time = last_time};
  want_next_when_half_full();
  return {};
}

Status LogWriter::check_active(std::string_view head) const {
  STELE_ASSIGN(const FileInfo info, active_->file->about());
  if (info.links != 0 && info.size == active_->file_bytes) {
    STELE_TRY(check_last());
    return check_written(active_->end, head);
  }
  return Error{.kind = ErrorKind::Displaced,
               .message = info.links == 0 ? "the active segment was removed or replaced while it was in use"
                                          : "the active segment was cut off or extended while it was in use",
               .file = active_->file->path()};
}

Status LogWriter::check_last() const {
  return last_head_.empty() ? Status() : check_written(active_->last_group, last_head_);
}

Status LogWriter::check_written(ByteOffset at, std::string_view head) const {
  std::array<char, kFrameBytes> found{};
  const Status read = active_->file->read_at(at, found);
  // A disk that cannot read may still be written to.
  if (read ? std::string_view(found.data(), found.size()) == head : read.error().kind != ErrorKind::Corrupt) return {};
  return LogGuard::overwritten(active_->file->path());
}

Status LogWriter::close() {
  preallocator_.stop();
  if (!active_) return {};
  Status closed = active_->file->close();
  active_.reset();
  return closed;
}

}  // namespace stele
