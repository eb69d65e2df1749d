#include "engine/redaction/redactor.h"

#include <algorithm>

#include "engine/log/log_folder.h"
#include "engine/redaction/redaction_gate.h"
#include "engine/redaction/segment_rewriter.h"

namespace stele {
namespace {

/// A reader that lets go of a file tells nobody.
constexpr std::chrono::milliseconds kLookAgain{20};

bool ascending(std::span<const RedactionTarget> targets) {
  return std::adjacent_find(targets.begin(), targets.end(), [](const RedactionTarget& a, const RedactionTarget& b) {
           return a.position >= b.position;
         }) == targets.end();
}

/// How many of the targets lie in a segment before the one that begins at `end`.
std::span<const RedactionTarget> before(std::span<const RedactionTarget> targets, std::optional<Position> end) {
  if (!end) return targets;
  const auto behind = std::partition_point(targets.begin(), targets.end(),
                                           [&](const RedactionTarget& target) { return target.position < *end; });
  return targets.first(static_cast<std::size_t>(behind - targets.begin()));
}

}  // namespace

Status Redactor::may_go_on(const RedactionWatch& watch, const RedactionProgress& progress) const {
  if (limiter_.stopped() || (watch.go_on && !watch.go_on(progress))) {
    return Error{.kind = ErrorKind::Closed, .message = "the redaction was ended"};
  }
  if (watch.gate != nullptr && watch.gate->rules() != watch.rules) return RedactionGate::changed();
  return {};
}

Result<RedactionCounts> Redactor::redact(std::span<const RedactionTarget> targets, const RedactionWatch& watch) {
  const MutexLock lock(mutex_);
  if (!ascending(targets) || (!targets.empty() && targets.back().position >= parts_.durable_end())) {
    return Error{.kind = ErrorKind::InvalidArgument, .message = "positions must ascend and be durable"};
  }
  if (!unsure_.empty()) return Error{.kind = ErrorKind::Poisoned, .message = unsure_};
  RedactionCounts counts;
  RedactionProgress progress;
  for (auto left = targets; !left.empty(); ++progress.segments_done) {
    STELE_TRY(may_go_on(watch, progress));
    const auto segments = parts_.segments.list();
    auto behind = std::upper_bound(segments->begin(), segments->end(), left.front().position,
                                   [](Position p, const auto& segment) { return p < segment->first(); });
    STELE_CHECK(behind != segments->begin());
    const auto here = before(left, behind == segments->end() ? std::nullopt : std::optional((*behind)->first()));
    STELE_TRY(redact_segment(std::prev(behind)->get()->id(), here, watch, progress, counts));
    left = left.subspan(here.size());
  }
  counts.readers_gone = wait_for_readers(watch, progress);
  return counts;
}

/// Counts what the segment still has of the members; which records they are, and only those.
Result<std::vector<RedactionTarget>> Redactor::still_there(const Segment& segment,
                                                           std::span<const RedactionTarget> targets,
                                                           const RedactionWatch& watch,
                                                           const RedactionProgress& progress,
                                                           RedactionCounts& counts) const {
  std::vector<RedactionTarget> wanted;
  Record record;
  for (const RedactionTarget& target : targets) {
    STELE_TRY(may_go_on(watch, progress));
    STELE_TRY(segment.read(target.position, record));
    const BodyMemberSet members = target.members.common(record.members()).without(record.redacted_members());
    if (members.empty()) {
      ++counts.unchanged;
      continue;
    }
    wanted.push_back({target.position, members});
    ++counts.records;
    counts.members += members.size();
    const RecordBody& body = record.body();
    if (members.has(BodyMember::Data)) counts.bytes += body.data->size();
    if (members.has(BodyMember::Metadata)) counts.bytes += body.metadata->size();
    if (members.has(BodyMember::Private)) counts.bytes += body.private_fields->size();
  }
  return wanted;
}

Status Redactor::redact_segment(SegmentId id, std::span<const RedactionTarget> targets, const RedactionWatch& watch,
                                const RedactionProgress& progress, RedactionCounts& counts) {
  const auto find = [&] {
    const auto segments = parts_.segments.list();
    const auto at =
        std::find_if(segments->begin(), segments->end(), [&](const auto& each) { return each->id() == id; });
    STELE_CHECK(at != segments->end());
    return *at;
  };
  RedactionCounts here;
  std::vector<RedactionTarget> wanted;
  {
    const auto segment = find();
    STELE_ASSIGN(wanted, still_there(*segment, targets, watch, progress, here));
  }
  if (!wanted.empty()) {
    STELE_TRY(parts_.seal(id));
    STELE_TRY(parts_.guard->look());
    const std::shared_ptr<const Segment> old = find();
    const std::string rewritten = parts_.log_folder + "/" + segment_name(id, kRewrittenSuffix);
    const SegmentRewrite rewrite{
        .file_system = parts_.file_system, .path = rewritten, .limiter = &limiter_, .go_on = [&] {
          return may_go_on(watch, progress);
        }};
    STELE_ASSIGN(std::shared_ptr<const Segment> made, rewrite_segment(rewrite, *old, wanted));
    STELE_TRY(put_in_place(rewritten, std::move(made), watch));
    here.segments = 1;
  }
  counts.records += here.records;
  counts.members += here.members;
  counts.bytes += here.bytes;
  counts.unchanged += here.unchanged;
  counts.segments += here.segments;
  if (watch.done) watch.done(here);
  return {};
}

Status Redactor::put_in_place(const std::string& rewritten, std::shared_ptr<const Segment> made,
                              const RedactionWatch& watch) {
  FileSystem& files = *parts_.file_system;
  const auto rename = [&] { return files.rename(rewritten, made->path()); };
  Status placed = parts_.guard->look();
  if (placed) placed = watch.gate == nullptr ? rename() : watch.gate->pass(watch.rules, rename);
  if (!placed) {
    // Whether it happened is not known. If it did, the file that is in place is as good as the one that was.
    if (placed.error().kind != ErrorKind::Displaced) (void)files.remove(rewritten);
    return placed;
  }
  parts_.segments.replace(std::move(made));
  if (Status synced = files.sync_directory(parts_.log_folder); !synced) {
    unsure_ = "whether a redaction is on the disk is not known; restart the server: " + synced.error().describe();
    return Error{.kind = ErrorKind::Poisoned, .message = unsure_};
  }
  return {};
}

bool Redactor::wait_for_readers(const RedactionWatch& watch, const RedactionProgress& progress) {
  const auto until = std::chrono::steady_clock::now() + watch.readers_wait;
  for (;;) {
    if (parts_.segments.replaced_in_use() == 0) return true;
    const auto now = std::chrono::steady_clock::now();
    if (now >= until || !may_go_on(watch, progress)) return false;
    if (!limiter_.wait_until(std::min(until, now + kLookAgain))) return false;
  }
}

void Redactor::stop() {
  limiter_.stop();
  const MutexLock lock(mutex_);
}

}  // namespace stele
