#include "engine/recovery/recover.h"

#include <algorithm>

#include "engine/base/zeros.h"
#include "engine/log/log_folder.h"
#include "engine/recovery/decision_table.h"
#include "engine/recovery/segment_scan.h"

namespace stele {
namespace {

Error refusal(const RecoveryCase& row, const std::string& path, std::string detail) {
  std::string message = std::string(row.name) + ": " + std::string(row.meaning);
  if (!detail.empty()) message += " (" + detail + ")";
  return Error{.kind = row.error, .message = std::move(message), .file = path};
}

std::uint32_t header_flags(const Result<SegmentHeader>& header, const std::optional<Uuid>& store, SegmentId named) {
  if (header) {
    return (store && header->store_id != *store ? kOtherStore : 0U) | (header->segment != named ? kOtherNumber : 0U);
  }
  switch (header.error().kind) {
    case ErrorKind::Foreign:
      return kForeignMagic;
    case ErrorKind::NewerFormat:
      return kNewerVersion;
    default:
      return kHeaderDamaged;
  }
}

/// Writes [from, to) again with what can be read now and syncs it: a page that an earlier, failed sync left marked as
/// clean reaches the disk this way, and nothing else makes sure of it.
Status rewrite(File& file, WindowReader& in, std::uint64_t from, std::uint64_t to) {
  constexpr std::uint64_t kStep = 1ULL << 20;
  for (std::uint64_t at = from; at < to; at += kStep) {
    STELE_ASSIGN(const std::string_view bytes, in.bytes(at, std::min(kStep, to - at)));
    STELE_TRY(file.write_at(ByteOffset{at}, bytes));
  }
  return {};
}

struct FolderContent {
  std::vector<SegmentId> segments;
  std::vector<std::string> leftovers;  // segments that were never begun, or not written anew to the end
  std::vector<std::string> strangers;
};

Result<FolderContent> list_log(FileSystem& file_system, const std::string& folder) {
  STELE_ASSIGN(const std::vector<std::string> names, file_system.list(folder));
  FolderContent content;
  for (const std::string& name : names) {
    if (const auto id = parse_segment_name(name)) {
      content.segments.push_back(*id);
    } else if (name.ends_with(kPreparedSuffix) || name.ends_with(kRewrittenSuffix)) {
      content.leftovers.push_back(name);
    } else {
      content.strangers.push_back(name);
    }
  }
  std::sort(content.segments.begin(), content.segments.end());
  return content;
}

/// Passes on only what lies behind a point, with what is known of its durability.
class VisitBehind final : public LogVisitor {
 public:
  VisitBehind(LogVisitor& visitor, Position from) : visitor_(visitor), from_(from) {}
  /// Groups that end there or before, in the segment that comes next, are durable.
  void durable_up_to(ByteOffset offset) { durable_end_ = offset; }
  Status record(const Record& record, SegmentId segment, ByteOffset offset) override {
    return record.header().position < from_ ? Status{} : visitor_.record(record, segment, offset);
  }
  Status group(const LogPoint& point, bool) override {
    return point.end.next <= from_ ? Status{} : visitor_.group(point, point.offset <= durable_end_);
  }

 private:
  LogVisitor& visitor_;
  const Position from_;
  ByteOffset durable_end_;
};

/// Only behind the replay point, if that is in this segment and the offsets of all records before are known: from the
/// footer, or, while there is none, from whoever knows the point.
Result<std::optional<ScanStart>> start_in(WindowReader& in, const SegmentHeader& segment, const KnownOfLog& known,
                                          Position first) {
  using Found = std::optional<ScanStart>;
  const SegmentId id = segment.segment;
  if (known.replay_from && known.replay_from->segment == id) {
    STELE_ASSIGN(SealedStart sealed, find_sealed_start(in, segment, first, *known.replay_from));
    if (sealed.sealed) return std::move(sealed.start);
  }
  if (!known.replay_from || known.replay_from->segment != id || known.offsets_first > first ||
      known.offsets_first.plus(known.offsets.size()) != known.replay_from->end.next) {
    return Found{};
  }
  if (first > known.replay_from->end.next) return Found{};
  const auto skipped = static_cast<std::ptrdiff_t>(first.since(known.offsets_first));
  return Found(ScanStart{*known.replay_from, {known.offsets.begin() + skipped, known.offsets.end()}});
}

/// Only space, and the time to open the next time, are at stake.
void trim(FileSystem& file_system, const std::string& path, ByteOffset length) {
  auto file = file_system.open(path, OpenMode::ReadWrite);
  if (file) (void)(*file)->truncate(length.value());
}

}  // namespace

Result<std::optional<Uuid>> store_of_log(FileSystem& file_system, const std::string& log_folder) {
  using Found = std::optional<Uuid>;
  STELE_ASSIGN(const FolderContent content, list_log(file_system, log_folder));
  if (content.segments.empty()) return Found{};
  STELE_ASSIGN(const std::unique_ptr<File> file,
               file_system.open(log_folder + "/" + segment_name(content.segments.front()), OpenMode::Read));
  STELE_ASSIGN(const std::uint64_t size, file->size());
  if (size < kSegmentHeaderBytes) return Found{};
  std::string bytes(kSegmentHeaderBytes, '\0');
  STELE_TRY(file->read_at(ByteOffset{0}, bytes));
  const auto header = decode_segment_header(bytes);
  return header ? Found(header->store_id) : Found{};
}

Result<bool> log_fits(FileSystem& file_system, const std::string& log_folder, const LogPoint& point) {
  auto file = file_system.open(log_folder + "/" + segment_name(point.segment), OpenMode::Read);
  if (!file) {
    if (file.error().kind == ErrorKind::NotFound) return false;
    return file.error();
  }
  STELE_ASSIGN(const std::uint64_t size, (*file)->size());
  if (size < kSegmentHeaderBytes) return false;
  WindowReader in(**file, size);
  STELE_ASSIGN(const std::string_view bytes, in.few_bytes(0, kSegmentHeaderBytes));
  const auto header = decode_segment_header(bytes);
  if (!header) return false;
  STELE_ASSIGN(const std::string_view begin,
               in.few_bytes(kSegmentHeaderBytes, std::min<std::uint64_t>(kFrameBytes, size - kSegmentHeaderBytes)));
  const auto first = parse_frame_header(begin, header->store_id, header->segment);
  if (!first) return false;
  STELE_ASSIGN(const SealedStart sealed, find_sealed_start(in, *header, first->first, point));
  if (sealed.sealed) return sealed.start.has_value();
  return point_fits(in, *header, point);
}

Result<RecoveredLog> recover_log(FileSystem& file_system, const std::string& log_folder, const KnownOfLog& known,
                                 LogVisitor& visitor, LogAccess access) {
  const bool repair = access == LogAccess::Repair;
  const bool bounded = access == LogAccess::BesideOwner;
  STELE_CHECK(!bounded || known.state);
  STELE_ASSIGN(FolderContent content, list_log(file_system, log_folder));
  // The owner may have begun segments in which nothing is durable yet. It names none while its newest one is sealed.
  if (bounded && known.state->segment != SegmentId{}) {
    std::erase_if(content.segments, [&](SegmentId id) { return id > known.state->segment; });
  }
  RecoveredLog log;
  log.report.segments = content.segments.size();
  for (const std::string& name : content.strangers) log.report.notes.push_back("ignored in the log folder: " + name);

  LogEnd chain;
  std::optional<Uuid> store;
  std::optional<TailObservation> tail_seen;
  std::vector<std::pair<std::string, ByteOffset>> untrimmed;
  VisitBehind behind(visitor, known.replay_from ? known.replay_from->end.next : Position{0});
  std::optional<SegmentScan> tail_scan;
  std::unique_ptr<File> tail_file;
  std::uint64_t tail_size = 0;
  SegmentId expected{1};
  Position tail_first;
  for (const SegmentId id : content.segments) {
    const std::string path = log_folder + "/" + segment_name(id);
    const bool last = id == content.segments.back();
    if (bounded && id > known.state->segment && chain.next > Position{0} && chain.next >= known.state->end) break;
    STELE_ASSIGN(std::unique_ptr<File> file,
                 file_system.open(path, last && repair ? OpenMode::ReadWrite : OpenMode::Read));
    if (last && repair) {
      // Before any of it is read: whoever has it open may be writing.
      const Status locked = file->lock();
      if (!locked && locked.error().kind != ErrorKind::Unsupported) return locked.error();
    }
    STELE_ASSIGN(std::uint64_t size, file->size());
    if (bounded && id == known.state->segment) size = std::min(size, known.state->offset.value());
    WindowReader in(*file, size);
    std::uint32_t flags = (id != expected ? kNumberMissing : 0U) | (last ? kLast : 0U);
    STELE_ASSIGN(const std::string_view head, in.few_bytes(0, std::min<std::uint64_t>(size, kSegmentHeaderBytes)));
    const Result<SegmentHeader> header = decode_segment_header(head);
    flags |= header_flags(header, store, id);

    SegmentScan scan;
    const Position first = chain.next;
    const bool usable = header && (flags & (kNumberMissing | kOtherStore | kOtherNumber)) == 0;
    std::optional<SealedEnd> sealed;
    if (usable && !last && known.replay_from && id < known.replay_from->segment) {
      STELE_ASSIGN(sealed, read_sealed_end(in, *header, chain));
    }
    if (sealed) {
      store = header->store_id;
      scan.sealed = true;
      scan.footer_end = sealed->footer_end;
      scan.offset_table = sealed->offset_table;
      flags |= kFooterFound;
    } else if (usable) {
      store = header->store_id;
      STELE_ASSIGN(const std::optional<ScanStart> start, start_in(in, *header, known, first));
      // A segment is begun only once the one before was synced to its end.
      const bool state_tells = known.state && known.state->store_id == *store && known.state->segment == id;
      behind.durable_up_to(!last ? ByteOffset{size} : state_tells ? known.state->offset : ByteOffset{});
      auto scanned = scan_segment(in, *header, chain, start ? &*start : nullptr, behind);
      if (!scanned) {
        if (scanned.error().file.empty()) scanned.error().file = path;
        return scanned.error();
      }
      scan = std::move(*scanned);
      if (scan.sealed) flags |= kFooterFound;
    }
    const RecoveryCase& row = decide(segment_cases(), flags);
    if (row.action == RecoveryAction::Refuse) {
      Error error = refusal(row, path, header ? "" : header.error().message);
      if (usable) error.offset = scan.end.value();
      return error;
    }
    expected = id.next();
    if (row.action == RecoveryAction::DecideTail) {
      STELE_ASSIGN(tail_seen, observe_tail(in, *header, scan, chain));
      tail_first = first;
      tail_scan = scan;
      tail_file = std::move(file);
      tail_size = size;
      continue;
    }
    if (scan.footer_end.value() < size) untrimmed.emplace_back(path, scan.footer_end);
    STELE_ASSIGN(std::unique_ptr<Mapping> mapping, file->map(scan.footer_end.value()));
    log.sealed.push_back(std::make_shared<const Segment>(id, first, path, std::move(mapping), scan.offset_table));
  }

  log.store_id = store.value_or(Uuid{});
  log.next_segment = expected;
  log.end = chain;
  log.report.records = chain.next.value();
  const std::optional<DurableState>& state = known.state;
  const bool state_is_ours = state && (!store || state->store_id == *store);
  const Position durable_end = std::max(known.durable_end, state_is_ours ? state->end : Position{0});
  const bool below_durable = durable_end > chain.next;
  if (state && !state_is_ours) log.report.notes.push_back("the state file belongs to another store and was ignored");
  if (!tail_seen) tail_seen = TailObservation{};
  if (below_durable) tail_seen->flags |= kBelowDurable;
  const RecoveryCase& row = decide(tail_cases(), tail_seen->flags);
  log.report.tail_case = content.segments.empty() && !below_durable ? "new" : std::string(row.name);
  const std::string tail_path = tail_file ? tail_file->path() : log_folder;
  if (row.action == RecoveryAction::Refuse) {
    Error error = refusal(row, tail_path,
                          "the log ends at position " + std::to_string(chain.next.value()) +
                              (below_durable ? ", durable was " + std::to_string(durable_end.value()) : ""));
    if (tail_scan) error.offset = tail_scan->end.value();
    return error;
  }

  const std::uint64_t tail_end = tail_scan ? tail_scan->end.value() : 0;
  if (!repair && tail_seen->bytes_end.value() > tail_end) {
    log.report.notes.push_back(std::string(row.name) + ": " + std::string(row.meaning) + "; " +
                               std::to_string(tail_seen->bytes_end.value() - tail_end) +
                               " bytes are left out at byte " + std::to_string(tail_end) + " of " + tail_path);
  }

  // The log is accepted as it stands; from here on it may be changed.
  if (repair) {
    for (const std::string& name : content.leftovers) STELE_TRY(file_system.remove(log_folder + "/" + name));
    STELE_TRY(file_system.sync_directory(log_folder));
    for (const auto& [path, length] : untrimmed) trim(file_system, path, length);
  }
  if (!tail_file) return log;

  const SegmentId tail_id = content.segments.back();
  const std::uint64_t end = tail_scan->end.value();
  const bool clean_close =
      state_is_ours && state->closed_cleanly && state->end == chain.next && (tail_seen->flags & kBytesBehind) == 0;
  const std::uint64_t accepted_end = tail_scan->sealed ? tail_scan->footer_end.value() : end;
  if (repair && !clean_close) {
    // What is known to have been synced need not be written again.
    std::uint64_t from = 0;
    if (state_is_ours && state->segment == tail_id) from = state->offset.value();
    if (known.replay_from && known.replay_from->segment == tail_id)
      from = std::max(from, known.replay_from->offset.value());
    from = std::min(from, accepted_end);
    WindowReader in(*tail_file, tail_size);
    STELE_TRY(rewrite(*tail_file, in, from, accepted_end));
    log.report.rewritten_bytes = accepted_end - from;
    const std::uint64_t unsynced_end = std::min(tail_size, end + kGroupBytesMax);
    if (!tail_scan->sealed) {
      STELE_TRY(write_zeros(*tail_file, end, std::max(unsynced_end, tail_seen->bytes_end.value())));
      log.report.cut_bytes = tail_seen->bytes_end.since(tail_scan->end);
    }
    STELE_TRY(tail_file->sync_data());
    if (log.report.cut_bytes > 0) {
      log.report.notes.push_back(std::string(row.name) + ": " + std::string(row.meaning) + "; " +
                                 std::to_string(log.report.cut_bytes) + " bytes were cut at byte " +
                                 std::to_string(end) + " of " + tail_path);
    }
  }

  if (tail_scan->sealed) {
    if (repair && tail_size > accepted_end) {
      STELE_TRY(tail_file->truncate(accepted_end));
      STELE_TRY(tail_file->sync_data());
    }
    STELE_ASSIGN(std::unique_ptr<Mapping> mapping, tail_file->map(accepted_end));
    log.sealed.push_back(
        std::make_shared<const Segment>(tail_id, tail_first, tail_path, std::move(mapping), tail_scan->offset_table));
    return log;
  }
  log.tail = ActiveSegment{.file = std::move(tail_file),
                           .id = tail_id,
                           .first = tail_first,
                           .first_time = tail_scan->first_time,
                           .end = tail_scan->end,
                           .last_group = tail_scan->last_group,
                           .file_bytes = repair ? tail_size : end,
                           .offsets = tail_scan->offsets};
  return log;
}

}  // namespace stele
