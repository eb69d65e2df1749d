#include <algorithm>

#include "engine/base/uuid.h"
#include "engine/index/position_stream.h"
#include "engine/store/index_opening.h"
#include "engine/store/store_impl.h"

namespace stele {
namespace {

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

/// The newest record before `end` of an aggregate that holds schemas; 0 = none. Of the log, if the index is damaged.
Result<Position> newest_schema_change(const IndexView& index, const SegmentList& log, Position end) {
  const StreamRange range{&index, Position{1}, end, Direction::Descending};
  if (range.begin >= end) return Position{0};
  const auto changes = positions_with(range, system_key(SystemKey::AggregateType, kSchemaAggregateType));
  if (const auto newest = changes->seek(Position{end.value() - 1})) return newest->value_or(Position{0});
  Record record;
  for (Position at{end.value() - 1}; at > Position{0}; at = Position{at.value() - 1}) {
    STELE_TRY(read_record(log, at, record));
    if (record.header().aggregate_type == kSchemaAggregateType) return at;
  }
  return Position{0};
}

}  // namespace

void StoreImpl::remove_unused(const RunList& unused) {
  const auto view = index_->view();
  for (const auto& run : unused) {
    const std::string& path = run->file().path();
    const bool made_anew = std::any_of(view->runs().begin(), view->runs().end(),
                                       [&](const auto& used) { return used->file().path() == path; });
    if (!made_anew) (void)options_.file_system->remove(path);
  }
}

void StoreImpl::open_snapshots() {
  auto opened = SnapshotStore::open({.file_system = options_.file_system,
                                     .clock = options_.clock,
                                     .folder = options_.folder + "/snapshots",
                                     .store_id = genesis_.store_id,
                                     .guard = guard_.get(),
                                     .settings = options_.snapshots});
  if (opened) {
    snapshots_ = std::move(*opened);
  } else {
    open_warnings_.push_back("there are no snapshots, so that replays begin at the first event: " +
                             opened.error().describe());
  }
}

Result<DeliveryJournal*> StoreImpl::deliveries() {
  const MutexLock lock(deliveries_mutex_);
  if (closing_.load(std::memory_order_acquire)) {
    return Error{.kind = ErrorKind::Closed, .message = "the store is closing"};
  }
  if (!deliveries_) {
    STELE_ASSIGN(deliveries_, DeliveryJournal::open({.file_system = options_.file_system,
                                                     .clock = options_.clock,
                                                     .folder = options_.folder + "/deliveries",
                                                     .store_id = genesis_.store_id,
                                                     .in_place = [this] { return guard_->look(); }}));
  }
  return deliveries_.get();
}

Result<CheckpointFolder*> StoreImpl::checkpoints() {
  const MutexLock lock(checkpoints_mutex_);
  if (closing_.load(std::memory_order_acquire)) {
    return Error{.kind = ErrorKind::Closed, .message = "the store is closing"};
  }
  if (!checkpoints_) {
    STELE_ASSIGN(checkpoints_, CheckpointFolder::open({.file_system = options_.file_system,
                                                       .folder = options_.folder + "/checkpoints",
                                                       .store_id = genesis_.store_id,
                                                       .in_place = [this] { return guard_->look(); }}));
  }
  return checkpoints_.get();
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
  STELE_ASSIGN(OpenedIndex opened,
               open_index(run_files, log_folder, options_.index_part_records_max, RunAccess::TidyUp));
  index_ = std::move(opened.set);
  next_frontier_ = std::move(opened.frontier);
  tree_ =
      std::make_unique<MerkleTree>(MerkleTreeOptions{.files = {.file_system = &files,
                                                               .folder = options_.folder + "/tiles",
                                                               .store_id = store_id,
                                                               .in_place = [this] { return guard_->look(); }},
                                                     .head =
                                                         [this] {
                                                           const LogHead now = head();
                                                           return TreeHead{now.size, now.root};
                                                         },
                                                     .read_leaf = [this](Position position) -> Result<Digest> {
                                                       thread_local Record record;
                                                       STELE_TRY(read_record(*segments_.list(), position, record));
                                                       return record.leaf();
                                                     },
                                                     .rebuild_bytes_per_second = options_.compaction_bytes_per_second},
                                   next_frontier_);
  KnownOfLog& known = opened.known;
  known.state = read_state(files, state_path);
  compactor_ = std::make_unique<IndexCompactor>(
      IndexCompactorOptions{run_files, options_.index_part_records_max, options_.compaction_bytes_per_second}, *index_,
      [this](Position position, Record& to) -> Status {
        const auto now = segments_.list();
        if (now->empty()) return Error{.kind = ErrorKind::Closed, .message = "the log is not open yet"};
        return read_record(*now, position, to);
      });
  IndexReplay replay(*index_, next_frontier_, *compactor_, options_.on_replay,
                     known.state ? known.state->end.value() : 0);
  STELE_ASSIGN(RecoveredLog log, recover_log(files, log_folder, known, replay));
  remove_unused(opened.unused);
  log.report.notes.insert(log.report.notes.begin(), opened.notes.begin(), opened.notes.end());
  log.report.notes.insert(log.report.notes.begin(), recovery_.notes.begin(), recovery_.notes.end());
  log.report.index_runs = opened.runs;
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
  segments_.assign(std::move(log.sealed));
  durable_end_.store(log.end.next.value(), std::memory_order_release);
  feed_.publish(log.end.next);
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
  STELE_ASSIGN(const Position schema_change, newest_schema_change(*index_->view(), *segments_.list(), log.end.next));
  machine_ = std::make_unique<CommitMachine>(log.end.next, log.end.last_time, schema_change);
  CommitterHooks hooks;
  hooks.rolled = [this](const LogWriter::Rolled& rolled) { segments_.roll(rolled.sealed, rolled.active); };
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
  open_snapshots();
  scrubber_ = std::make_unique<Scrubber>(
      ScrubberOptions{&files, options_.scrub_bytes_per_second}, [this] { return segments_.list(); },
      [this] { return index_->view(); });
  redactor_ = std::make_unique<Redactor>(
      RedactorParts{&files, log_folder, guard_.get(), options_.compaction_bytes_per_second, segments_,
                    [this] { return durable_end(); }, [this](SegmentId segment) { return committer_->seal(segment); }});
  scrubber_->start();
  tree_->start();
  compactor_->start();
  committer_->start();
  if (options_.guard_interval.count() > 0) {
    guard_->start(options_.guard_interval, [this](const Error& displaced) {
      committer_->poison(displaced);
      // What they would write, remove or find damaged may be another store's.
      redactor_->stop();
      scrubber_->stop();
      tree_->stop();
      compactor_->stop();
      close_folders();
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
