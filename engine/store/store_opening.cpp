#include <algorithm>

#include "engine/base/uuid.h"
#include "engine/index/run_folder.h"
#include "engine/store/store_impl.h"

namespace stele {
namespace {

constexpr std::size_t kImmutableMemtablesAtOpenMax = 32;
constexpr std::int64_t kDayMicros = 86'400'000'000;
constexpr std::int64_t kYearMicros = 365 * kDayMicros;

Error no_store(const std::string& folder) {
  return Error{.kind = ErrorKind::NotFound, .message = "there is no store, and none is to be made", .file = folder};
}

/// NotFound if the log folder holds no segment.
Status require_store(FileSystem& files, const std::string& log_folder) {
  STELE_ASSIGN(const bool exists, files.exists(log_folder));
  std::vector<std::string> names;
  if (exists) {
    STELE_ASSIGN(names, files.list(log_folder));
  }
  const bool found = std::any_of(names.begin(), names.end(), [](const auto& name) { return parse_segment_name(name); });
  return found ? Status() : no_store(log_folder);
}

}  // namespace

/// Takes the records that no run of the index holds yet.
class StoreImpl::Replay final : public LogVisitor {
 public:
  Replay(StoreImpl& store, std::uint64_t expected) : store_(store), expected_(expected) {}

  Status record(const Record& record, SegmentId segment, ByteOffset offset) override {
    const RecordHeader& header = record.header();
    // Only against records that are in memory as well: asking every run about every aggregate would be most of an
    // opening's time.
    const auto last = store_.index_->last_sequence_in_memory(header.aggregate_id);
    if (last && header.sequence != last->next()) {
      return Error{.kind = ErrorKind::Corrupt,
                   .message = "the record at position " + std::to_string(header.position.value()) +
                              " does not continue the sequence numbers of its aggregate"};
    }
    const std::uint32_t place = 0;
    store_.index_->insert({&header, 1}, RecordLocations{segment, offset, {&place, 1}});
    store_.next_frontier_.append(record.leaf());
    return {};
  }

  Status group(const LogPoint& point, bool durable) override {
    if (!store_.index_->full()) return {};
    store_.freeze_if_full(point);
    // A run must never outlive what it was made from.
    if (durable) store_.compactor_->work_off();
    // A full disk should not keep a store from being read, as long as memory lasts.
    if (durable && store_.index_->view()->immutable().size() > kImmutableMemtablesAtOpenMax)
      STELE_TRY(store_.compactor_->wait_for_room());
    if (store_.options_.on_replay) store_.options_.on_replay(point.end.next.value(), expected_);
    return {};
  }

 private:
  StoreImpl& store_;
  const std::uint64_t expected_;
};

/// Opens the runs that lead from the beginning of the log to a point that the log still has; everything behind is
/// replayed. `unused` are to be removed, but only once the log is accepted: until then they are all that tells of it.
Result<KnownOfLog> StoreImpl::open_index(const std::string& log_folder, const RunFiles& files, RunList& unused) {
  KnownOfLog known;
  STELE_ASSIGN(OpenedRuns opened, open_runs(*files.file_system, files.folder, files.store_id));
  recovery_.notes.insert(recovery_.notes.end(), opened.notes.begin(), opened.notes.end());
  RunList runs;
  Position covered;
  for (const auto& run : opened.runs) {
    if (run->first() != covered) break;
    covered = run->end();
    runs.push_back(run);
  }
  unused = opened.runs;
  if (!opened.runs.empty()) known.durable_end = opened.runs.back()->end();
  while (!runs.empty() && !runs.back()->directory().replay) runs.pop_back();
  if (!runs.empty()) {
    STELE_ASSIGN(const bool fits, log_fits(*files.file_system, log_folder, runs.back()->directory().replay->log));
    if (!fits) {
      recovery_.notes.push_back("the index does not fit the log and is made again from it");
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
    next_frontier_ = MerkleFrontier(runs.back()->end().value(), replay.subtrees);
  }
  unused.erase(unused.begin(), unused.begin() + static_cast<std::ptrdiff_t>(runs.size()));
  recovery_.index_runs = runs.size();
  const Position first = runs.empty() ? Position{0} : runs.back()->end();
  index_ = std::make_unique<IndexSet>(std::move(runs), first, options_.index_part_records_max);
  return known;
}

void StoreImpl::remove_unused(const RunList& unused) {
  const auto view = index_->view();
  for (const auto& run : unused) {
    const std::string& path = run->file().path();
    const bool made_anew = std::any_of(view->runs().begin(), view->runs().end(),
                                       [&](const auto& used) { return used->file().path() == path; });
    if (!made_anew) (void)options_.file_system->remove(path);
  }
}

Status StoreImpl::start() {
  FileSystem& files = *options_.file_system;
  const std::string log_folder = options_.folder + "/log";
  const std::string index_folder = options_.folder + "/index";
  const std::string state_path = options_.folder + "/state";
  const std::string lock_path = options_.folder + "/lock";
  if (!options_.create) STELE_TRY(require_store(files, log_folder));
  STELE_TRY(files.create_folders(log_folder));
  STELE_TRY(files.create_folders(index_folder));
  STELE_ASSIGN(lock_, files.lock(lock_path));
  guard_ = std::make_unique<LogGuard>(files, options_.folder, lock_path, lock_->held());
  if (const std::string& weakness = lock_->held().weakness; !weakness.empty()) {
    recovery_.notes.push_back("only the lock file keeps other processes out of the folder: " + weakness);
  }

  STELE_ASSIGN(const std::optional<Uuid> stored_id, store_of_log(files, log_folder));
  const Uuid store_id = stored_id ? *stored_id : make_uuid_v7(*options_.clock);
  std::uint64_t filter_seed = 0;
  random_bytes(&filter_seed, sizeof filter_seed);
  const RunFiles run_files{&files, index_folder, store_id, filter_seed, guard_.get()};
  RunList unused;
  STELE_ASSIGN(KnownOfLog known, open_index(log_folder, run_files, unused));
  known.state = read_state(files, state_path);
  compactor_ = std::make_unique<IndexCompactor>(
      IndexCompactorOptions{run_files, options_.index_part_records_max, options_.compaction_bytes_per_second}, *index_,
      [this](Position position, Record& to) -> Status {
        const auto now = segments();
        if (now->empty()) return Error{.kind = ErrorKind::Closed, .message = "the log is not open yet"};
        return read_record(*now, position, to);
      });
  Replay replay(*this, known.state ? known.state->end.value() : 0);
  STELE_ASSIGN(RecoveredLog log, recover_log(files, log_folder, known, replay));
  remove_unused(unused);
  log.report.notes.insert(log.report.notes.begin(), recovery_.notes.begin(), recovery_.notes.end());
  log.report.index_runs = recovery_.index_runs;
  log.report.replayed = log.end.next.since(known.replay_from ? known.replay_from->end.next : Position{0});
  recovery_ = std::move(log.report);
  const bool has_genesis = log.end.next > Position{0};
  if (!has_genesis && !options_.create) return no_store(log_folder);
  const std::int64_t ahead = options_.clock->now().micros - log.end.last_time.micros;
  if (ahead < -ClockWatch::kAlarmMicros) {
    open_warnings_.emplace_back("the newest record is more than 10 s ahead of the system clock");
  }
  if (has_genesis && ahead > kYearMicros) {
    open_warnings_.push_back("the system clock was " + std::to_string(ahead / kDayMicros) +
                             " days ahead of the newest record at the start; is it right?");
  }

  writer_ = std::make_unique<LogWriter>(PreallocatorOptions{.file_system = &files,
                                                            .clock = options_.clock,
                                                            .folder = log_folder,
                                                            .store_id = store_id,
                                                            .segment_bytes = options_.segment_bytes,
                                                            .fill_bytes_per_second = options_.fill_bytes_per_second,
                                                            .guard = guard_.get()},
                                        log.end, log.next_segment);
  if (log.tail) {
    STELE_ASSIGN(auto active, writer_->resume(std::move(*log.tail)));
    log.sealed.push_back(std::move(active));
  }
  if (has_genesis) {
    Record first;
    STELE_TRY(read_record(log.sealed, Position{0}, first));
    STELE_ASSIGN(genesis_, decode_genesis(first.header()));
    if (genesis_.store_id != store_id) {
      return Error{.kind = ErrorKind::Corrupt, .message = "the genesis record names another store than the segments"};
    }
  }
  set_segments(std::move(log.sealed));
  durable_end_.store(log.end.next.value(), std::memory_order_release);
  active_bytes_.store(writer_->active_offset().value(), std::memory_order_relaxed);

  {
    const MutexLock lock(head_mutex_);
    frontier_ = next_frontier_;
    last_time_ = log.end.last_time;
  }
  const LocalSequencerOptions ordering{.clock = options_.clock,
                                       .proposals_max = options_.queue_proposals_max,
                                       .bytes_max = options_.queue_bytes_max,
                                       .group_commit_delay = options_.group_commit_delay,
                                       .accept_clock_jumps = options_.accept_clock_jumps};
  sequencer_ = options_.make_sequencer ? options_.make_sequencer(ordering) : std::make_unique<LocalSequencer>(ordering);
  machine_ = std::make_unique<CommitMachine>(log.end.next, log.end.last_time);
  CommitterHooks hooks;
  hooks.rolled = [this](const LogWriter::Rolled& rolled) { segment_begun(rolled); };
  hooks.index = [this](const Group& group, const RecordLocations& places) { index_group(group, places); };
  hooks.durable = [this](const Group& group, const LogWriter& writer) { publish(group, writer); };
  hooks.has_index_room = [this] { return compactor_->has_room(); };
  hooks.index_room = [this] { return compactor_->wait_for_room(); };
  committer_ =
      std::make_unique<Committer>(*sequencer_, *machine_, *writer_, options_.overlap_records_min, std::move(hooks));
  if (!has_genesis) {
    genesis_ = Genesis{store_id, options_.origin};
    Group group;
    machine_->apply_genesis(store_id, options_.origin, make_uuid_v7(*options_.clock), options_.clock->now(), group);
    STELE_TRY(committer_->write_group(group));
    recovery_.created = true;
  }
  // The state file only now: it must never know of more than the log holds. Without it all of this still works.
  if (auto state = StateFile::open(files, state_path)) {
    state_file_ = std::move(*state);
  } else {
    recovery_.notes.push_back("no state file: " + state.error().describe());
  }
  publish_state(false);
  scrubber_ = std::make_unique<Scrubber>(
      ScrubberOptions{&files, options_.scrub_bytes_per_second}, [this] { return segments(); },
      [this] { return index_->view(); });
  scrubber_->start();
  compactor_->start();
  committer_->start();
  if (options_.guard_interval.count() > 0) {
    guard_->start(options_.guard_interval, [this](const Error& displaced) {
      committer_->poison(displaced);
      // What they would write, remove or find damaged may be another store's.
      scrubber_->stop();
      compactor_->stop();
    });
  }
  return {};
}

Result<std::unique_ptr<Store>> Store::open(StoreOptions options) {
  STELE_TRY(check_options(options));
  if (options.file_system == nullptr) options.file_system = &posix_file_system();
  if (options.clock == nullptr) options.clock = &system_clock();
  auto store = std::make_unique<StoreImpl>(std::move(options));
  STELE_TRY(store->start());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace stele
