#include "engine/store/index_opening.h"

namespace stele {
namespace {

constexpr std::size_t kImmutableMemtablesAtOpenMax = 32;

}  // namespace

Status IndexReplay::record(const Record& record, SegmentId segment, ByteOffset offset) {
  const RecordHeader& header = record.header();
  // Only against records that are in memory as well: asking every run about every aggregate would be most of an
  // opening's time.
  const auto last = set_.last_sequence_in_memory(header.aggregate_id);
  if (last && header.sequence != last->next()) {
    return Error{.kind = ErrorKind::Corrupt,
                 .message = "the record at position " + std::to_string(header.position.value()) +
                            " does not continue the sequence numbers of its aggregate"};
  }
  const std::uint32_t place = 0;
  set_.insert({&header, 1}, RecordLocations{segment, offset, {&place, 1}});
  frontier_.append(record.leaf());
  return {};
}

Status IndexReplay::group(const LogPoint& point, bool durable) {
  if (!set_.full()) return {};
  set_.make_immutable(ReplayPoint{point, frontier_.subtrees()});
  // A run must never outlive what it was made from.
  if (durable) compactor_.work_off();
  // A full disk should not keep a store from being read, as long as memory lasts.
  if (durable && set_.view()->immutable().size() > kImmutableMemtablesAtOpenMax) STELE_TRY(compactor_.wait_for_room());
  if (on_replay_) on_replay_(point.end.next.value(), expected_);
  return {};
}

Result<OpenedIndex> open_index(const RunFiles& files, const std::string& log_folder, std::uint64_t part_records_max,
                               RunAccess access) {
  OpenedIndex index;
  STELE_ASSIGN(OpenedRuns opened, open_runs(*files.file_system, files.folder, files.store_id, access));
  index.notes = std::move(opened.notes);
  index.vanished = opened.vanished;
  KnownOfLog& known = index.known;
  RunList runs;
  Position covered;
  for (const auto& run : opened.runs) {
    if (run->first() != covered) break;
    covered = run->end();
    runs.push_back(run);
  }
  index.unused = opened.runs;
  if (!opened.runs.empty()) known.durable_end = opened.runs.back()->end();
  while (!runs.empty() && !runs.back()->directory().replay) runs.pop_back();
  if (!runs.empty()) {
    STELE_ASSIGN(const bool fits, log_fits(*files.file_system, log_folder, runs.back()->directory().replay->log));
    if (!fits) {
      index.notes.push_back("the index does not fit the log and is made again from it");
      runs.clear();
    }
  }
  if (!runs.empty()) {
    const ReplayPoint& replay = *runs.back()->directory().replay;
    known.replay_from = replay.log;
    known.offsets_first = runs.back()->end();
    for (auto run = runs.rbegin(); run != runs.rend() && (*run)->end() == known.offsets_first; ++run) {
      const RunDirectory& directory = (*run)->directory();
      if (!directory.replay || directory.replay->log.segment != replay.log.segment) break;
      const auto offsets = (*run)->tail_offsets();
      if (!offsets) break;
      known.offsets.insert(known.offsets.begin(), offsets->begin(), offsets->end());
      known.offsets_first = directory.tail_first;
    }
    index.frontier = MerkleFrontier(runs.back()->end().value(), replay.subtrees);
  }
  index.unused.erase(index.unused.begin(), index.unused.begin() + static_cast<std::ptrdiff_t>(runs.size()));
  index.runs = runs.size();
  const Position first = runs.empty() ? Position{0} : runs.back()->end();
  index.set = std::make_unique<IndexSet>(std::move(runs), first, part_records_max);
  return index;
}

}  // namespace stele
