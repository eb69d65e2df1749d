#include "engine/store/store.h"

#include <algorithm>
#include <future>
#include <utility>

#include "engine/store/duplicates.h"
#include "engine/store/store_impl.h"

namespace stele {

using Kind = AppendOutcome::Kind;

AppendOutcome StoreImpl::finish(const Decision& decision) const {
  return decision.duplicates.empty() ? decision.outcome : compare_duplicates(decision, *view());
}

Result<std::optional<AggregateType>> StoreImpl::aggregate_type(std::string_view aggregate_id, DiskWait wait) const {
  const auto index = index_->view();
  std::optional<AggregateHead> head = index->newest().find_head(aggregate_id);
  if (!head) {
    STELE_ASSIGN(head, index->sealed_head(aggregate_id, wait));
  }
  return head ? std::optional(AggregateType{std::move(head->aggregate_type)}) : std::nullopt;
}

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
  switch (sequencer_->submit(commit)) {
    case Submitted::Yes:
      return true;
    case Submitted::Closed:
      return refuse(commit->proposal, commit->callback, Kind::Unavailable, "the store is closing");
    case Submitted::QueueFull:
      break;
  }
  return refuse(commit->proposal, commit->callback, Kind::Busy, "the commit queue is full");
}

/// Readers do not see it yet: they stop at the durable end.
void StoreImpl::index_group(const Group& group, const RecordLocations& places) {
  index_->insert(group.headers, places);
  for (const Digest& leaf : group.leaves) next_frontier_.append(leaf);
}

void StoreImpl::publish(const Group& group, const LogWriter& writer) {
  const LogPoint point = writer.point();
  // Before anybody sees the root that has them.
  tree_->append(group.headers.front().position, group.leaves);
  {
    const MutexLock lock(head_mutex_);
    frontier_ = next_frontier_;
    last_time_ = group.headers.back().time;
  }
  const Position end = writer.end().next;
  durable_end_.store(end.value(), std::memory_order_release);
  active_bytes_.store(point.offset.value(), std::memory_order_relaxed);
  publish_state(false);
  feed_.publish(end);
  if (!index_->full()) return;
  // Only this thread changes the frontier. The index ends with this group, so that no run is made of what is not
  // durable.
  index_->make_immutable(ReplayPoint{point, next_frontier_.subtrees()});
  tree_->want_sync();
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

void StoreImpl::close_folders() {
  if (snapshots_) (void)snapshots_->close();  // what cannot be written is folded again
  {
    const MutexLock lock(deliveries_mutex_);
    if (deliveries_) (void)deliveries_->close();  // what cannot be written is delivered again
  }
  const MutexLock lock(checkpoints_mutex_);
  if (checkpoints_) checkpoints_->close();
}

Status StoreImpl::close() {
  const MutexLock lock(close_mutex_);
  if (closed_) return {};
  closed_ = true;
  closing_.store(true, std::memory_order_release);
  if (sequencer_) sequencer_->close();
  if (!committer_) return {};
  committer_->join();
  feed_.close();
  guard_->stop();  // it stops the others too
  if (redactor_) redactor_->stop();
  if (scrubber_) scrubber_->stop();
  tree_->stop();
  compactor_->stop();
  close_folders();
  if (!committer_->poisoned() && guard_->look()) publish_state(true);
  state_file_.reset();
  Status closed = writer_->close();
  lock_.reset();
  return closed;
}

AppendOutcome Store::append_and_wait(Proposal proposal) {
  std::promise<Decision> decided;
  append(std::move(proposal), [&decided](Decision decision) { decided.set_value(std::move(decision)); });
  return finish(decided.get_future().get());
}

}  // namespace stele
