#pragma once
// A store that writes. Its parts and what they tell each other: opening in store_opening.cpp, appending and publishing
// in store.cpp, what it says of itself in store_health.cpp.

#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/audit/checkpoint_folder.h"
#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_tree.h"
#include "engine/base/mutex.h"
#include "engine/commit/commit_machine.h"
#include "engine/commit/committer.h"
#include "engine/commit/genesis.h"
#include "engine/commit/sequencer.h"
#include "engine/index/index_compactor.h"
#include "engine/log/log_folder.h"
#include "engine/log/log_guard.h"
#include "engine/log/log_writer.h"
#include "engine/log/segment_set.h"
#include "engine/log/state_file.h"
#include "engine/recovery/recover.h"
#include "engine/recovery/scrubber.h"
#include "engine/redaction/redactor.h"
#include "engine/store/make_read_view.h"
#include "engine/store/store.h"

namespace stele {

class StoreImpl final : public Store {
 public:
  explicit StoreImpl(StoreOptions options) : options_(std::move(options)) {}

  ~StoreImpl() override { (void)close(); }

  Status start();

  void append(Proposal proposal, AppendCallback callback) override {
    (void)propose(proposal, callback, DiskWait::Allowed);
  }

  bool append_at_once(Proposal& proposal, AppendCallback& callback) override {
    return propose(proposal, callback, DiskWait::Never);
  }

  Result<std::optional<AggregateType>> aggregate_type(std::string_view aggregate_id, DiskWait wait) const override;

  AppendOutcome finish(const Decision& decision) const override;

  std::shared_ptr<const ReadView> view() const override {
    // The bound first: segments and index taken later hold at least as much.
    return view_until(durable_end());
  }

  std::shared_ptr<const ReadView> view_until(Position end) const override {
    end = std::min(end, durable_end());
    return make_read_view(segments_.list(), index_->view(), end);
  }

  LogHead head() const override {
    const MutexLock lock(head_mutex_);
    return LogHead{.size = frontier_.size(), .last_time = last_time_, .root = frontier_.root()};
  }

  Position durable_end() const override { return Position{durable_end_.load(std::memory_order_acquire)}; }

  DurableFeed& feed() override { return feed_; }

  SnapshotStore* snapshots() override { return snapshots_.get(); }

  Result<DeliveryJournal*> deliveries() override;
  Result<CheckpointFolder*> checkpoints() override;
  MerkleTree& tree() override { return *tree_; }

  Result<RedactionCounts> redact(std::span<const RedactionTarget> targets, const RedactionWatch& watch) override {
    return redactor_->redact(targets, watch);
  }

  StoreHealth health() const override;
  StoreMetrics metrics() const override;
  const RecoveryReport& recovery() const override { return recovery_; }
  const Uuid& store_id() const override { return genesis_.store_id; }
  const std::string& origin() const override { return genesis_.origin; }
  Status close() override;

 private:
  /// False: WouldWait, and nothing has happened.
  [[nodiscard]] bool propose(Proposal& proposal, AppendCallback& callback, DiskWait wait);
  void remove_unused(const RunList& unused);
  void open_snapshots();
  /// What is kept beside the log: nothing of it is written any more.
  void close_folders();
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
  std::unique_ptr<MerkleTree> tree_;
  std::unique_ptr<Redactor> redactor_;
  std::unique_ptr<SnapshotStore> snapshots_;
  mutable Mutex deliveries_mutex_;
  std::unique_ptr<DeliveryJournal> deliveries_ GUARDED_BY(deliveries_mutex_);  // null until somebody asks for it
  mutable Mutex checkpoints_mutex_;
  std::unique_ptr<CheckpointFolder> checkpoints_ GUARDED_BY(checkpoints_mutex_);  // null until somebody asks for it
  std::unique_ptr<Sequencer> sequencer_;
  std::unique_ptr<CommitMachine> machine_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Committer> committer_;

  std::atomic<std::uint64_t> durable_end_{0};
  std::atomic<std::uint64_t> active_bytes_{0};  // of the active segment that hold groups
  SegmentSet segments_;
  mutable Mutex head_mutex_;
  MerkleFrontier frontier_ GUARDED_BY(head_mutex_);
  MerkleFrontier next_frontier_;  // with the group that is being synced; opening, then the committer's thread
  Timestamp last_time_ GUARDED_BY(head_mutex_);
  DurableFeed feed_;

  Mutex close_mutex_;
  std::atomic<bool> closing_{false};
  bool closed_ GUARDED_BY(close_mutex_) = false;
};

}  // namespace stele
