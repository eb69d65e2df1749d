#include "engine/store.h"

#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>

#include "engine/audit/merkle_frontier.h"
#include "engine/base/uuid.h"
#include "engine/commit/commit_machine.h"
#include "engine/commit/committer.h"
#include "engine/commit/genesis.h"
#include "engine/repeat.h"
#include "engine/commit/sequencer.h"
#include "engine/index/index_set.h"
#include "engine/log/log_writer.h"
#include "engine/log/state_file.h"
#include "engine/read_view.h"
#include "engine/recovery/recover.h"

namespace stele {
namespace {

using Kind = AppendOutcome::Kind;

class StoreImpl final : public Store {
 public:
  explicit StoreImpl(StoreOptions options)
      : options_(std::move(options)),
        index_(Position{0}, options_.index_part_records_max),
        sequencer_(LocalSequencerOptions{.clock = options_.clock,
                                         .proposals_max = options_.queue_proposals_max,
                                         .bytes_max = options_.queue_bytes_max,
                                         .gather_max = options_.gather_max}) {}

  ~StoreImpl() override { (void)close(); }

  Status start();

  void append(Proposal proposal, AppendCallback callback) override {
    const auto refuse = [&](Proposal& refused, Kind kind, const char* detail) {
      callback(Decision{std::move(refused), AppendOutcome{.kind = kind, .detail = detail}, {}});
    };
    if (committer_->poisoned()) return refuse(proposal, Kind::Unavailable, "the store does not accept writes");
    if (closing_.load(std::memory_order_acquire)) return refuse(proposal, Kind::Unavailable, "the store is closing");
    auto commit = std::make_unique<PendingCommit>();
    commit->bytes = CommitMachine::bytes_max(proposal);
    const Position end = durable_end();
    commit->resolution = resolve(proposal, *index_.view(), end);
    commit->proposal = std::move(proposal);
    commit->callback = std::move(callback);
    if (!sequencer_.submit(commit)) {
      callback = std::move(commit->callback);
      refuse(commit->proposal, Kind::Busy, "the commit queue is full");
    }
  }

  AppendOutcome finish(const Decision& decision) const override {
    return decision.duplicates.empty() ? decision.outcome : compare_repeat(decision, *view());
  }

  std::shared_ptr<const ReadView> view() const override {
    // The bound first: segments and index taken later hold at least as much.
    const Position end = durable_end();
    return make_read_view(segments(), index_.view(), end);
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
  const RecoveryReport& recovery() const override { return recovery_; }
  const Uuid& store_id() const override { return genesis_.store_id; }
  const std::string& origin() const override { return genesis_.origin; }
  Status close() override;

 private:
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
  void publish(const Group& group, const LogWriter& writer);
  void publish_state(bool closed_cleanly);

  const StoreOptions options_;
  const std::uint32_t process_id_ = static_cast<std::uint32_t>(::getpid());
  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<StateFile> state_file_;
  RecoveryReport recovery_;
  Genesis genesis_;
  std::string open_warning_;

  IndexSet index_;
  LocalSequencer sequencer_;
  std::unique_ptr<CommitMachine> machine_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Committer> committer_;

  std::atomic<std::uint64_t> durable_end_{0};
  mutable std::mutex segments_mutex_;
  std::shared_ptr<const SegmentList> segments_ = std::make_shared<const SegmentList>();
  mutable std::mutex head_mutex_;
  MerkleFrontier frontier_;  // under head_mutex_
  Timestamp last_time_;      // under head_mutex_
  std::mutex listeners_mutex_;
  std::vector<std::function<void(Position)>> listeners_;

  std::mutex close_mutex_;
  std::atomic<bool> closing_{false};
  bool closed_ = false;
};

Status StoreImpl::start() {
  FileSystem& files = *options_.file_system;
  const std::string log_folder = options_.folder + "/log";
  const std::string state_path = options_.folder + "/state";
  STELE_TRY(files.create_folders(log_folder));
  STELE_ASSIGN(lock_, files.lock(options_.folder + "/lock"));

  const auto visit = [&](const Record& record) -> Status {
    if (record.header().position == Position{0}) {
      STELE_ASSIGN(genesis_, decode_genesis(record.header()));
    }
    const RecordHeader& header = record.header();
    if (header.sequence != index_.view()->last_sequence(header.aggregate_id).next()) {
      return Error{.kind = ErrorKind::Corrupt,
                   .message = "the record at position " + std::to_string(header.position.value()) +
                              " does not continue the sequence numbers of its aggregate"};
    }
    index_.insert({&header, 1});
    frontier_.append(record.leaf());
    return {};
  };
  STELE_ASSIGN(RecoveredLog log, recover_log(files, log_folder, read_state(files, state_path), visit));
  recovery_ = std::move(log.report);
  last_time_ = log.end.last_time;
  const bool has_genesis = log.end.next > Position{0};
  const Uuid store_id = log.store_id == Uuid{} ? make_uuid_v7(*options_.clock) : log.store_id;
  if (has_genesis && genesis_.store_id != log.store_id) {
    return Error{.kind = ErrorKind::Corrupt, .message = "the genesis record names another store than the segments"};
  }
  if (log.end.last_time.micros > options_.clock->now().micros + ClockWatch::kJumpMicros) {
    open_warning_ = "the newest record is more than 10 s ahead of the system clock";
  }

  writer_ = std::make_unique<LogWriter>(PreparerOptions{.file_system = &files,
                                                        .clock = options_.clock,
                                                        .folder = log_folder,
                                                        .store_id = store_id,
                                                        .segment_bytes = options_.segment_bytes,
                                                        .fill_bytes_per_second = options_.fill_bytes_per_second},
                                        log.end, log.next_segment);
  if (log.tail) {
    STELE_ASSIGN(auto active, writer_->resume(std::move(*log.tail)));
    log.sealed.push_back(std::move(active));
  }
  set_segments(std::move(log.sealed));
  durable_end_.store(log.end.next.value(), std::memory_order_release);

  machine_ = std::make_unique<CommitMachine>(log.end.next, log.end.last_time);
  CommitterHooks hooks;
  hooks.rolled = [this](const LogWriter::Rolled& rolled) { segment_begun(rolled); };
  hooks.durable = [this](const Group& group, const LogWriter& writer) { publish(group, writer); };
  committer_ = std::make_unique<Committer>(sequencer_, *machine_, *writer_, index_, std::move(hooks));
  if (!has_genesis) {
    genesis_ = Genesis{store_id, options_.origin};
    Group group;
    machine_->apply_genesis(store_id, options_.origin, make_uuid_v7(*options_.clock), options_.clock->now(), group);
    STELE_TRY(committer_->write_group(group));
  }
  // The state file only now: it must never know of more than the log holds. Without it all of this still works.
  if (auto state = StateFile::open(files, state_path)) {
    state_file_ = std::move(*state);
  } else {
    recovery_.notes.push_back("no state file: " + state.error().describe());
  }
  publish_state(false);
  committer_->start();
  return {};
}

void StoreImpl::segment_begun(const LogWriter::Rolled& rolled) {
  SegmentList next = *segments();
  if (rolled.sealed) next.back() = rolled.sealed;
  next.push_back(rolled.active);
  set_segments(std::move(next));
}

void StoreImpl::publish(const Group& group, const LogWriter& writer) {
  index_.insert(group.headers);
  {
    const std::lock_guard lock(head_mutex_);
    for (const Digest& leaf : group.leaves) frontier_.append(leaf);
    last_time_ = group.headers.back().time;
  }
  const Position end = writer.end().next;
  durable_end_.store(end.value(), std::memory_order_release);
  publish_state(false);
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& listener : listeners_) listener(end);
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
    health.reason = "a write of the log failed; restart the server: " + committer_->poison_reason();
  } else if (closing_.load(std::memory_order_acquire)) {
    health.writable = false;
    health.reason = "closing";
  } else if (std::string trouble = committer_->roll_trouble(); !trouble.empty()) {
    health.writable = false;
    health.reason = "no room for another segment: " + trouble;
  }
  const auto warn = [&](std::string warning) {
    if (!warning.empty()) health.warnings.push_back(std::move(warning));
  };
  warn(open_warning_);
  warn(sequencer_.clock_alarm());
  if (std::string trouble = writer_->preparer().trouble(); !trouble.empty()) {
    warn("the next segment cannot be prepared: " + trouble);
  }
  for (const auto& segment : *segments()) {
    if (segment->damaged()) warn("segment " + std::to_string(segment->id().value()) + " is damaged");
  }
  health.groups = committer_->groups();
  health.records_appended = committer_->records();
  health.queue_proposals = sequencer_.waiting();
  health.unprepared_segments = writer_->preparer().unprepared();
  return health;
}

Status StoreImpl::close() {
  const std::lock_guard lock(close_mutex_);
  if (closed_) return {};
  closed_ = true;
  closing_.store(true, std::memory_order_release);
  sequencer_.close();
  if (!committer_) return {};
  committer_->join();
  if (!committer_->poisoned()) publish_state(true);
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
  if (options.segment_bytes < 64 * 1024 || options.segment_bytes >= (1ULL << 32)) {
    return invalid("the segment size must be at least 64 KiB and less than 4 GiB");
  }
  if (options.origin.empty() || options.origin.size() > kStringBytesMax) {
    return invalid("the origin must have 1 to 255 bytes");
  }
  if (options.queue_proposals_max == 0 || options.index_part_records_max == 0) return invalid("a bound is zero");
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
