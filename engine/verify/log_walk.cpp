#include "engine/verify/log_walk.h"

#include <algorithm>
#include <utility>

#include "engine/base/digest.h"
#include "engine/log/log_folder.h"
#include "engine/recovery/decision_table.h"
#include "engine/recovery/segment_scan.h"

namespace stele {

namespace {

constexpr std::uint64_t kRecordBytesMin = 96;

/// So that what a group may be said to hold is bounded by what is there.
bool can_hold_its_records(const FrameHeader& group) {
  return group.record_count > 0 && group.record_count <= group.payload_length / kRecordBytesMin;
}

std::string range_of(Position first, Position end) {
  if (end.since(first) == 1) return "position " + std::to_string(first.value());
  return "positions " + std::to_string(first.value()) + " to " + std::to_string(end.value() - 1);
}

}  // namespace

Result<std::unique_ptr<LogWalk>> LogWalk::open(Options options) {
  std::unique_ptr<LogWalk> walk(new LogWalk(std::move(options)));
  STELE_TRY(walk->look_at_folder());
  return walk;
}

LogWalk::~LogWalk() = default;

Status LogWalk::look_at_folder() {
  STELE_ASSIGN(const std::vector<std::string> names, options_.file_system->list(options_.folder));
  for (const std::string& name : names) {
    if (const auto id = parse_segment_name(name)) {
      segments_.push_back(*id);
    } else if (!name.ends_with(kPreparedSuffix)) {
      notes_.push_back("not looked at, in the log folder: " + name);
    }
  }
  std::sort(segments_.begin(), segments_.end());
  if (segments_.empty()) {
    return Error{.kind = ErrorKind::NotFound, .message = "there is no segment of a log", .file = options_.folder};
  }
  bool is_known = false;
  for (const SegmentId id : segments_) {
    const std::string path = options_.folder + "/" + segment_name(id);
    STELE_ASSIGN(const FileInfo info, options_.file_system->look_at(path));
    bytes_total_ += info.size;
    if (is_known || info.size < kSegmentHeaderBytes) continue;
    STELE_ASSIGN(const auto file, options_.file_system->open(path, OpenMode::Read));
    std::string head(kSegmentHeaderBytes, '\0');
    STELE_TRY(file->read_at(ByteOffset{0}, head));
    if (const auto header = decode_segment_header(head)) {
      store_id_ = header->store_id;
      is_known = true;
    }
  }
  if (is_known) return {};
  return Error{.kind = ErrorKind::Corrupt,
               .message = "no segment has a header that tells which store it is of",
               .file = options_.folder};
}

Result<bool> LogWalk::next(LogPiece& piece) {
  piece.bytes.clear();
  piece.groups.clear();
  piece.footer.reset();
  piece.findings.clear();
  piece.missing = 0;
  while (!ended_) {
    if (reached_bound()) {
      ended_ = true;
    } else if (index_ == segments_.size()) {
      STELE_TRY(end_log(piece));
    } else if (!file_) {
      STELE_TRY(begin_segment(piece));
    } else {
      STELE_TRY(take_groups(piece));
      if (!piece.groups.empty() || piece.footer) return true;
      if (file_ && !reached_bound()) STELE_TRY(pass_trouble(piece));
      if (!piece.groups.empty()) return true;
    }
  }
  return !piece.findings.empty();
}

Status LogWalk::extend(const DurableState& state) {
  if (!options_.beside_owner || !reached_bound() || state.store_id != store_id_) return {};
  for (SegmentId id = segments_.back().next(); id <= state.segment; id = id.next()) {
    STELE_ASSIGN(const bool exists, options_.file_system->exists(options_.folder + "/" + segment_name(id)));
    if (!exists) break;
    segments_.push_back(id);
  }
  options_.state = state;
  ended_ = false;
  return {};
}

bool LogWalk::reached_bound() const {
  return options_.beside_owner && options_.state && chain_.next >= options_.state->end;
}

Finding LogWalk::finding_here(Verdict verdict, std::string text) const {
  return Finding{.verdict = verdict, .text = std::move(text), .position = chain_.next, .file = path_, .offset = at_};
}

Status LogWalk::begin_segment(LogPiece& piece) {
  const SegmentId id = segments_[index_];
  const SegmentId expected = index_ == 0 ? SegmentId{1} : segments_[index_ - 1].next();
  path_ = options_.folder + "/" + segment_name(id);
  STELE_ASSIGN(file_, options_.file_system->open(path_, OpenMode::Read));
  STELE_ASSIGN(size_, file_->size());
  at_ = 0;
  if (id != expected) {
    piece.findings.push_back(finding_here(
        Verdict::Damaged, "segment files before this one are missing, from " + segment_name(expected) + " on"));
  }
  std::string head(std::min<std::uint64_t>(size_, kSegmentHeaderBytes), '\0');
  STELE_TRY(file_->read_at(ByteOffset{0}, head));
  const auto header = decode_segment_header(head);
  if (!header && header.error().kind == ErrorKind::NewerFormat) {
    Error error = header.error();
    error.file = path_;
    return error;
  }
  const bool is_foreign =
      header ? header->store_id != store_id_ || header->segment != id : header.error().kind == ErrorKind::Foreign;
  if (is_foreign) {
    piece.findings.push_back(finding_here(Verdict::Damaged, "the file is no segment of this log of that number"));
    end_segment();
    is_sealed_ = false;
    return {};
  }
  if (!header) piece.findings.push_back(finding_here(Verdict::Damaged, header.error().message));
  at_ = head.size();
  segment_first_ = chain_.next;
  is_broken_ = false;
  is_sealed_ = false;
  return {};
}

void LogWalk::end_segment() {
  file_.reset();
  bytes_before_ += size_;
  at_ = 0;
  ++index_;
}

Result<bool> LogWalk::load(LogPiece& piece, std::uint64_t length) {
  if (at_ > size_ || length > size_ - at_) return false;
  const std::uint64_t needed = at_ - piece.offset + length;
  if (needed <= piece.bytes.size()) return true;
  const std::size_t old = piece.bytes.size();
  const auto read = [&]() -> Status {
    piece.bytes.resize(std::max(needed, std::min(options_.piece_bytes, size_ - piece.offset)));
    return file_->read_at(ByteOffset{piece.offset + old}, {piece.bytes.data() + old, piece.bytes.size() - old});
  };
  Status done = read();
  if (!done && done.error().kind == ErrorKind::Corrupt) {
    // The owner has sealed the segment meanwhile, and cut off what was empty.
    STELE_ASSIGN(size_, file_->size());
    if (size_ < at_ || length > size_ - at_) return false;
    done = read();
  }
  if (!done) return done.error();
  return true;
}

bool LogWalk::is_next(const FrameHeader& group) const {
  return group.kind == FrameKind::Group && group.previous_link == chain_.last_link &&
         group.group == chain_.last_group.next() && group.first == chain_.next && can_hold_its_records(group);
}

bool LogWalk::is_end(const FrameHeader& footer) const {
  return footer.kind == FrameKind::Footer && footer.previous_link == chain_.last_link &&
         footer.group == chain_.last_group && footer.first.plus(footer.record_count) == chain_.next &&
         (is_broken_ || footer.first == segment_first_) &&
         footer.payload_length == kFooterFixedBytes + 4ULL * footer.record_count;
}

void LogWalk::take(LogPiece& piece, const FrameHeader& header, bool is_whole) {
  piece.groups.push_back(PieceGroup{header, at_ - piece.offset, is_whole});
  chain_.next = chain_.next.plus(header.record_count);
  chain_.last_group = header.group;
  chain_.last_link = header.link;
  at_ += header.total_bytes();
}

Status LogWalk::take_groups(LogPiece& piece) {
  piece.segment = segments_[index_];
  piece.path = path_;
  piece.offset = at_;
  piece.bytes.clear();
  while (!reached_bound()) {
    // What is not loaded yet begins the next piece, so that little is read twice.
    const auto is_for_later = [&](std::uint64_t length) {
      return !piece.groups.empty() && at_ - piece.offset + length > piece.bytes.size() && length <= size_ - at_;
    };
    if (is_for_later(kFrameBytes)) return {};
    STELE_ASSIGN(const bool has_header, load(piece, kFrameBytes));
    if (!has_header) return {};
    const auto bytes = [&] { return std::string_view(piece.bytes).substr(at_ - piece.offset); };
    const auto header = parse_frame_header(bytes(), store_id_, segments_[index_]);
    if (!header || !(is_next(*header) || is_end(*header))) return {};
    const bool is_footer = header->kind == FrameKind::Footer;
    const std::uint64_t length = header->total_bytes() + (is_footer ? kFooterTrailerBytes : 0);
    if (is_for_later(length)) return {};
    STELE_ASSIGN(const bool has_all, load(piece, length));
    if (!has_all || !frame_checksum_holds(bytes().substr(0, header->total_bytes()))) return {};
    if (!is_footer) {
      take(piece, *header, true);
      continue;
    }
    const auto trailer = decode_trailer(bytes().substr(header->total_bytes(), kFooterTrailerBytes));
    if (trailer != ByteOffset{at_}) return {};
    if (!is_broken_) {
      piece.footer = PieceFooter{
          .offset = ByteOffset{at_},
          .records = header->record_count,
          .offsets_hash = xxh3(bytes().substr(kFrameBytes + kFooterFixedBytes, 4ULL * header->record_count))};
    }
    is_sealed_ = true;
    end_segment();
    return {};
  }
  return {};
}

void LogWalk::jump_to(LogPiece& piece, const FrameHeader& header, std::uint64_t offset) {
  const bool is_at_its_place = header.first == chain_.next && header.group == chain_.last_group.next();
  Finding finding = finding_here(Verdict::Damaged, "");
  if (is_at_its_place && offset == at_) {
    finding.verdict = Verdict::Rewritten;
    finding.text = "the group " + std::to_string(header.group.value()) +
                   " is whole, but it was not written behind the group that stands before it";
  } else if (header.first == chain_.next) {
    finding.text = "groups " + std::to_string(chain_.last_group.value() + 1) + " to " +
                   std::to_string(header.group.value() - 1) + " are missing";
  } else {
    finding.text = "the records at " + range_of(chain_.next, header.first) + " cannot be read: " +
                   (offset > at_ ? std::to_string(offset - at_) + " bytes are no group that continues the log"
                                 : "their groups are missing");
  }
  piece.findings.push_back(std::move(finding));
  piece.missing += header.first.since(chain_.next);
  chain_.next = header.first;
  chain_.last_group = GroupNumber{header.group.value() - 1};
  chain_.last_link = header.previous_link;
  at_ = offset;
  is_broken_ = true;
}

Status LogWalk::pass_trouble(LogPiece& piece) {
  at_ = std::min(at_, size_);  // the file may have been cut meanwhile
  WindowReader in(*file_, size_);
  const GroupNumber next = chain_.last_group.next();
  const auto is_later = [&](const FrameHeader& frame) {
    return frame.kind == FrameKind::Group && can_hold_its_records(frame) && frame.first >= chain_.next &&
           frame.group >= next;
  };
  STELE_ASSIGN(const auto here, whole_frame(in, segment(), at_));
  // At the end of the log an old frame may stand that was cut once: it is no later one.
  if (here && is_later(*here) && (!is_last() || here->group > next)) {
    jump_to(piece, *here, at_);
    return {};
  }
  if (here && here->kind == FrameKind::Footer && here->group >= chain_.last_group &&
      here->payload_length == kFooterFixedBytes + 4ULL * here->record_count) {
    const Position footer_end = here->first.plus(here->record_count);
    if (footer_end > chain_.next) {
      piece.findings.push_back(finding_here(
          Verdict::Damaged, "the records at " + range_of(chain_.next, footer_end) + " are missing before the footer"));
      piece.missing += footer_end.since(chain_.next);
      chain_.next = footer_end;
      chain_.last_group = here->group;
      chain_.last_link = here->previous_link;
      is_broken_ = true;
      return {};
    }
  }
  if (!here && size_ - at_ >= kFrameBytes) {
    STELE_ASSIGN(const std::string_view bytes, in.bytes(at_, kFrameBytes));
    const auto damaged = parse_frame_header(bytes, store_id_, segments_[index_]);
    if (damaged && is_next(*damaged) && damaged->total_bytes() <= size_ - at_) {
      STELE_ASSIGN(const auto behind, whole_frame(in, segment(), at_ + damaged->total_bytes()));
      const Position end = damaged->first.plus(damaged->record_count);
      if (behind && behind->previous_link == damaged->link &&
          (behind->kind == FrameKind::Group
               ? behind->group == damaged->group.next() && behind->first == end
               : behind->group == damaged->group && behind->first.plus(behind->record_count) == end)) {
        piece.findings.push_back(finding_here(
            Verdict::Damaged, "the checksum of the group " + std::to_string(damaged->group.value()) + " fails"));
        piece.segment = segments_[index_];
        piece.path = path_;
        piece.offset = at_;
        piece.bytes.clear();
        STELE_ASSIGN(const bool has_all, load(piece, damaged->total_bytes()));
        STELE_CHECK(has_all);
        take(piece, *damaged, false);
        return {};
      }
    }
  }
  for (std::uint64_t from = at_;;) {
    STELE_ASSIGN(const auto found,
                 find_group_beyond(in, segment(), is_last() ? next : chain_.last_group, from + 1, size_));
    if (!found) break;
    from = found->value();
    STELE_ASSIGN(const auto group, whole_frame(in, segment(), from));
    if (!group || !is_later(*group)) continue;
    jump_to(piece, *group, from);
    return {};
  }
  if (is_last()) {
    STELE_TRY(end_log(piece));
  } else {
    piece.findings.push_back(
        finding_here(Verdict::Damaged, here ? "a frame is whole and does not continue the log; what is behind it in "
                                              "this segment was not read"
                                            : "groups or footer of the segment are damaged from here on"));
    end_segment();
  }
  return {};
}

Status LogWalk::end_log(LogPiece& piece) {
  ended_ = true;
  std::uint32_t flags = is_sealed_ ? kSealed : 0U;
  if (file_) {
    WindowReader in(*file_, size_);
    SegmentScan scan;
    scan.end = ByteOffset{at_};
    STELE_ASSIGN(const TailObservation seen, observe_tail(in, segment(), scan, chain_));
    flags = seen.flags;
    if ((flags & kBytesBehind) != 0) {
      was_cut_ = true;
      notes_.push_back(std::to_string(seen.bytes_end.value() - at_) + " bytes behind the last group, at byte " +
                       std::to_string(at_) + " of " + path_ + ", are no record");
    }
  }
  const auto& state = options_.state;
  if (state && state->store_id == store_id_ && state->end > chain_.next) flags |= kBelowDurable;
  const RecoveryCase& row = decide(tail_cases(), flags);
  if (row.action != RecoveryAction::Refuse) return {};
  was_cut_ = true;
  std::string text = std::string(row.meaning) + ": the log ends at position " + std::to_string(chain_.next.value());
  if ((flags & kBelowDurable) != 0) text += ", durable was " + std::to_string(state->end.value());
  piece.findings.push_back(finding_here(Verdict::Damaged, std::move(text)));
  return {};
}

}  // namespace stele
