#include "engine/store/store.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>

#include "engine/audit/merkle_frontier.h"
#include "engine/base/uuid.h"
#include "engine/commit/commit_machine.h"
#include "engine/commit/committer.h"
#include "engine/commit/genesis.h"
#include "engine/commit/sequencer.h"
#include "engine/index/index_compactor.h"
#include "engine/index/run_folder.h"
#include "engine/log/log_folder.h"
#include "engine/log/log_guard.h"
#include "engine/log/log_writer.h"
#include "engine/log/state_file.h"
#include "engine/recovery/recover.h"
#include "engine/recovery/scrubber.h"
#include "engine/store/duplicates.h"
#include "engine/store/read_view.h"

namespace stele {
namespace {

using Kind = AppendOutcome::Kind;
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

class StoreImpl final : public Store {
 public:
  explicit StoreImpl(StoreOptions options)
      : options_(std::move(options)),
        sequencer_(LocalSequencerOptions{.clock = options_.clock,
                                         .proposals_max = options_.queue_proposals_max,
                                         .bytes_max = options_.queue_bytes_max,
                                         .group_commit_delay = options_.group_commit_delay,
                                         .accept_clock_jumps = options_.accept_clock_jumps}) {}

  ~StoreImpl() override { (void)close(); }

  Status start();

  void append(Proposal proposal, AppendCallback callback) override {
    (void)propose(proposal, callback, DiskWait::Allowed);
  }

  bool append_at_once(Proposal& proposal, AppendCallback& callback) override {
    return propose(proposal, callback, DiskWait::Never);
  }

  Result<std::optional<AggregateType>> aggregate_type(std::string_view aggregate_id, DiskWait wait) const override {
    const auto index = index_->view();
    std::optional<AggregateHead> head = index->newest().find_head(aggregate_id);
    if (!head) {
      STELE_ASSIGN(head, index->sealed_head(aggregate_id, wait));
    }
    return head ? std::optional(AggregateType{std::move(head->aggregate_type)}) : std::nullopt;
  }

  AppendOutcome finish(const Decision& decision) const override {
    return decision.duplicates.empty() ? decision.outcome : compare_duplicates(decision, *view());
  }

  std::shared_ptr<const ReadView> view() const override {
    // The bound first: segments and index taken later hold at least as much.
    return view_until(durable_end());
  }

  std::shared_ptr<const ReadView> view_until(Position end) const override {
    end = std::min(end, durable_end());
    return make_read_view(segments(), index_->view(), end);
  }

  LogHead head() const override {
    const std::lock_guard lock(head_mutex_);
    return LogHead{.size = frontier_.size(), .last_time = last_time_, .root = frontier_.root()};
  }

  Position durable_end() const override { return Position{durable_end_.load(std::memory_order_acquire)}; }

  void on_durable(std::function<void(Position)> listener) override {
    const std::lock_guard lock(listeners_mutex_);
    listeners_.push_back(std::move(listener));
  }

  StoreHealth health() const override;
  StoreMetrics metrics() const override;
  const RecoveryReport& recovery() const override { return recovery_; }
  const Uuid& store_id() const override { return genesis_.store_id; }
  const std::string& origin() const override { return genesis_.origin; }
  Status close() override;

 private:
  class Replay;

  /// False: WouldWait, and nothing has happened.
  [[nodiscard]] bool propose(Proposal& proposal, AppendCallback& callback, DiskWait wait);
  [[nodiscard]] Result<KnownOfLog> open_index(const std::string& log_folder, const RunFiles& files, RunList& unused);
  void remove_unused(const RunList& unused);
  void freeze_if_full(const LogPoint& point);
  [[nodiscard]] std::shared_ptr<const SegmentList> segments() const {
    const std::lock_guard lock(segments_mutex_);
    return segments_;
  }
  void set_segments(SegmentList segments) {
    auto next = std::make_shared<const SegmentList>(std::move(segments));
    const std::lock_guard lock(segments_mutex_);
    segments_ = std::move(next);
  }
  void segment_begun(const LogWriter::Rolled& rolled);
  void index_group(const Group& group, const RecordLocations& places);
  void publish(const Group& group, const LogWriter& writer);
  void publish_state(bool closed_cleanly);

  const StoreOptions options_;
  const std::uint32_t process_id_ = static_cast<std::uint32_t>(::getpid());
  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<LogGuard> guard_;
  std::unique_ptr<StateFile> state_file_;
  RecoveryReport recovery_;
  Genesis genesis_;
  std::vector<std::string> open_warnings_;

  std::unique_ptr<IndexSet> index_;
  std::unique_ptr<IndexCompactor> compactor_;
  std::unique_ptr<Scrubber> scrubber_;
  LocalSequencer sequencer_;
  std::unique_ptr<CommitMachine> machine_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Committer> committer_;

  std::atomic<std::uint64_t> durable_end_{0};
  std::atomic<std::uint64_t> active_bytes_{0};  // of the active segment that hold groups
  mutable std::mutex segments_mutex_;
  std::shared_ptr<const SegmentList> segments_ = std::make_shared<const SegmentList>();
  mutable std::mutex head_mutex_;
  MerkleFrontier frontier_;  // under head_mutex_
  MerkleFrontier next_frontier_;  // with the group that is being synced; committer's thread
  Timestamp last_time_;      // under head_mutex_
  std::mutex listeners_mutex_;
  std::vector<std::function<void(Position)>> listeners_;

  std::mutex close_mutex_;
  std::atomic<bool> closing_{false};
  bool closed_ = false;
};

bool StoreImpl::propose(Proposal& proposal, AppendCallback& callback, DiskWait wait) {
  const auto refuse = [](Proposal& refused, const AppendCallback& tell, Kind kind, const char* detail) {
    tell(Decision{std::move(refused), AppendOutcome{.kind = kind, .detail = detail}, {}});
    return true;
  };
  if (committer_->poisoned()) return refuse(proposal, callback, Kind::Unavailable, "the store does not accept writes");
  if (closing_.load(std::memory_order_acquire)) {
    return refuse(proposal, callback, Kind::Unavailable, "the store is closing");
  }
  auto commit = std::make_unique<PendingCommit>();
  commit->bytes = CommitMachine::bytes_max(proposal);
  commit->condition_bytes = memory_bytes(proposal.condition);
  commit->began_nanos = nanos_now();
  const Position end = durable_end();
  auto resolution = resolve(proposal, index_->snapshot(), end, wait, options_.condition_work_max);
  if (!resolution) {
    if (resolution.error().kind == ErrorKind::WouldWait) return false;
    if (resolution.error().kind == ErrorKind::TooLarge) return refuse(proposal, callback, Kind::ConditionTooCostly, "");
    const std::string detail = resolution.error().describe();
    compactor_->work();  // the damage is to be repaired
    return refuse(proposal, callback, Kind::ReadFailed, detail.c_str());
  }
  commit->resolution = std::move(*resolution);
  commit->proposal = std::move(proposal);
  commit->callback = std::move(callback);
  switch (sequencer_.submit(commit)) {
    case Submitted::Yes:
      return true;
    case Submitted::Closed:
      return refuse(commit->proposal, commit->callback, Kind::Unavailable, "the store is closing");
    case Submitted::QueueFull:
      break;
  }
  return refuse(commit->proposal, commit->callback, Kind::Busy, "the commit queue is full");
}

/// Takes the records that no run of the index holds yet.
class StoreImpl::Replay final : public LogVisitor {
 public:
  Replay(StoreImpl& store, std::uint64_t expected) : store_(store), expected_(expected) {}

  Status record(const Record& record, SegmentId segment, ByteOffset offset) override {
    const RecordHeader& header = record.header();
    // Only against records that are in memory as well: asking every run about every aggregate would be most of an opening's time.
    const auto last = store_.index_->last_sequence_in_memory(header.aggregate_id);
    if (last && header.sequence != last->next()) {
      return Error{.kind = ErrorKind::Corrupt,
                   .message = "the record at position " + std::to_string(header.position.value()) +
                              " does not continue the sequence numbers of its aggregate"};
    }
    const std::uint32_t place = 0;
    store_.index_->insert({&header, 1}, RecordLocations{segment, offset, {&place, 1}});
    store_.frontier_.append(record.leaf());
    return {};
  }

  Status group(const LogPoint& point, bool durable) override {
    if (!store_.index_->full()) return {};
    store_.freeze_if_full(point);
    // A run must never outlive what it was made from.
    if (durable) store_.compactor_->work_off();
    // A full disk should not keep a store from being read, as long as memory lasts.
    if (durable && store_.index_->view()->immutable().size() > kImmutableMemtablesAtOpenMax) STELE_TRY(store_.compactor_->wait_for_room());
    if (store_.options_.on_replay) store_.options_.on_replay(point.end.next.value(), expected_);
    return {};
  }

 private:
  StoreImpl& store_;
  const std::uint64_t expected_;
};

/// Opens the runs that lead from the beginning of the log to a point that the log still has; everything behind is replayed.
/// `unused` are to be removed, but only once the log is accepted: until then they are all that tells of it.
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
    frontier_ = MerkleFrontier(runs.back()->end().value(), replay.subtrees);
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
  const RunFiles run_files{&files, index_folder, store_id, filter_seed};
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
  last_time_ = log.end.last_time;
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

  next_frontier_ = frontier_;
  machine_ = std::make_unique<CommitMachine>(log.end.next, log.end.last_time);
  CommitterHooks hooks;
  hooks.rolled = [this](const LogWriter::Rolled& rolled) { segment_begun(rolled); };
  hooks.index = [this](const Group& group, const RecordLocations& places) { index_group(group, places); };
  hooks.durable = [this](const Group& group, const LogWriter& writer) { publish(group, writer); };
  hooks.has_index_room = [this] { return compactor_->has_room(); };
  hooks.index_room = [this] { return compactor_->wait_for_room(); };
  committer_ = std::make_unique<Committer>(sequencer_, *machine_, *writer_, options_.overlap_records_min,
                                           std::move(hooks));
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

void StoreImpl::segment_begun(const LogWriter::Rolled& rolled) {
  SegmentList next = *segments();
  if (rolled.sealed) next.back() = rolled.sealed;
  next.push_back(rolled.active);
  set_segments(std::move(next));
}

void StoreImpl::freeze_if_full(const LogPoint& point) {
  if (index_->full()) index_->freeze(ReplayPoint{point, frontier_.subtrees()});
}

/// Readers do not see it yet: they stop at the durable end.
void StoreImpl::index_group(const Group& group, const RecordLocations& places) {
  index_->insert(group.headers, places);
  for (const Digest& leaf : group.leaves) next_frontier_.append(leaf);
}

void StoreImpl::publish(const Group& group, const LogWriter& writer) {
  const LogPoint point = writer.point();
  {
    const std::lock_guard lock(head_mutex_);
    frontier_ = next_frontier_;
    last_time_ = group.headers.back().time;
  }
  const Position end = writer.end().next;
  durable_end_.store(end.value(), std::memory_order_release);
  active_bytes_.store(point.offset.value(), std::memory_order_relaxed);
  publish_state(false);
  {
    const std::lock_guard lock(listeners_mutex_);
    for (const auto& listener : listeners_) listener(end);
  }
  if (!index_->full()) return;
  // Only this thread changes the frontier. The index ends with this group, so that no run is made of what is not durable.
  freeze_if_full(point);
  compactor_->work();
}

void StoreImpl::publish_state(bool closed_cleanly) {
  if (!state_file_) return;
  state_file_->publish(DurableState{.store_id = genesis_.store_id,
                                    .end = writer_->end().next,
                                    .segment = writer_->active_segment(),
                                    .offset = writer_->active_offset(),
                                    .process_id = process_id_,
                                    .closed_cleanly = closed_cleanly});
}

StoreHealth StoreImpl::health() const {
  StoreHealth health;
  if (committer_->poisoned()) {
    health.writable = false;
    health.reason = committer_->poison_reason();
  } else if (closing_.load(std::memory_order_acquire)) {
    health.writable = false;
    health.reason = "closing";
  } else if (std::string refusal = sequencer_.clock_refusal(); !refusal.empty()) {
    health.writable = false;
    health.reason = std::move(refusal);
  } else if (std::string trouble = committer_->roll_trouble(); !trouble.empty()) {
    health.writable = false;
    health.reason = "no room for another segment: " + trouble;
  } else if (compactor_->is_stuck()) {
    health.writable = false;
    health.reason = compactor_->trouble();
  }
  const auto warn = [&](std::string warning) {
    if (!warning.empty()) health.warnings.push_back(std::move(warning));
  };
  for (const std::string& warning : open_warnings_) warn(warning);
  warn(sequencer_.clock_alarm());
  warn(guard_->trouble());
  if (std::string trouble = writer_->preallocator().trouble(); !trouble.empty()) {
    warn("the next segment cannot be prepared: " + trouble);
  }
  for (const auto& segment : *segments()) {
    if (segment->damaged()) {
      warn("segment " + std::to_string(segment->id().value()) + " is damaged: " + segment->damage());
    }
  }
  if (health.reason.empty()) warn(compactor_->trouble());
  const auto index = index_->view();
  for (const auto& run : index->runs()) {
    if (run->damaged()) warn("an index run is damaged and is being made again from the log: " + run->file().path());
  }
  health.index_runs = index->runs().size();
  health.scrub_passes = scrubber_->passes();
  health.scrubbed_bytes = scrubber_->bytes();
  health.groups = committer_->groups();
  health.records_appended = committer_->records();
  health.queue_proposals = sequencer_.waiting();
  health.unprepared_segments = writer_->preallocator().unprepared();
  return health;
}

StoreMetrics StoreImpl::metrics() const {
  const CommitMetrics& commits = committer_->metrics();
  StoreMetrics metrics;
  metrics.append_nanos = commits.append_nanos.counts();
  metrics.commit_nanos = commits.commit_nanos.counts();
  metrics.sync_nanos = writer_->sync_nanos().counts();
  metrics.group_records = commits.group_records.counts();
  metrics.poisoned = committer_->poisoned();
  const auto list = segments();
  for (const auto& segment : *list) {
    metrics.log_bytes += segment == list->back() ? active_bytes_.load(std::memory_order_relaxed) : segment->file_bytes();
    if (segment->damaged()) ++metrics.log_segments_damaged;
  }
  metrics.log_segments = list->size();
  const auto index = index_->view();
  for (const auto& run : index->runs()) {
    metrics.index_bytes += run->file().file_bytes();
    if (run->damaged()) ++metrics.index_runs_damaged;
  }
  metrics.index_parts_waiting = index->immutable().size();
  metrics.index_compaction_due = compactor_->compaction_due();
  return metrics;
}

Status StoreImpl::close() {
  const std::lock_guard lock(close_mutex_);
  if (closed_) return {};
  closed_ = true;
  closing_.store(true, std::memory_order_release);
  sequencer_.close();
  if (!committer_) return {};
  committer_->join();
  guard_->stop();  // it stops the others too
  if (scrubber_) scrubber_->stop();
  compactor_->stop();
  if (!committer_->poisoned() && guard_->look()) publish_state(true);
  state_file_.reset();
  Status closed = writer_->close();
  lock_.reset();
  return closed;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(StoreOptions options) {
  const auto invalid = [](const char* what) {
    return Error{.kind = ErrorKind::InvalidArgument, .message = what};
  };
  if (options.folder.empty()) return invalid("no data folder given");
  if (options.segment_bytes < StoreBounds::kSegmentBytesMin || options.segment_bytes > StoreBounds::kSegmentBytesMax) {
    return invalid("the segment size must be 64 KiB to 4095 MiB");
  }
  if (options.origin.empty() || options.origin.size() > StoreBounds::kOriginBytesMax) {
    return invalid("the origin must have 1 to 255 bytes");
  }
  if (options.queue_proposals_max < StoreBounds::kQueueProposalsMin) return invalid("the queue must take a proposal");
  if (options.index_part_records_max < StoreBounds::kIndexPartRecordsMin ||
      options.index_part_records_max > StoreBounds::kIndexPartRecordsMax) {
    return invalid("a part of the index must have 1 to 4,194,304 records");
  }
  if (options.file_system == nullptr) options.file_system = &posix_file_system();
  if (options.clock == nullptr) options.clock = &system_clock();
  auto store = std::make_unique<StoreImpl>(std::move(options));
  STELE_TRY(store->start());
  return std::unique_ptr<Store>(std::move(store));
}

AppendOutcome Store::append_and_wait(Proposal proposal) {
  std::promise<Decision> decided;
  append(std::move(proposal), [&decided](Decision decision) { decided.set_value(std::move(decision)); });
  return finish(decided.get_future().get());
}

}  // namespace stele
