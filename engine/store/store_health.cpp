#include "engine/store/store_health.h"

#include "engine/store/store_impl.h"

namespace stele {

StoreHealth StoreImpl::health() const {
  StoreHealth health;
  if (committer_->poisoned()) {
    health.writable = false;
    health.reason = committer_->poison_reason();
  } else if (closing_.load(std::memory_order_acquire)) {
    health.writable = false;
    health.reason = "closing";
  } else if (std::string refusal = sequencer_->clock_refusal(); !refusal.empty()) {
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
  warn(sequencer_->clock_alarm());
  warn(guard_->trouble());
  if (std::string trouble = writer_->preallocator().trouble(); !trouble.empty()) {
    warn("the next segment cannot be prepared: " + trouble);
  }
  const auto segments = segments_.list();
  for (const auto& segment : *segments) {
    if (segment->damaged()) {
      warn("segment " + std::to_string(segment->id().value()) + " is damaged: " + segment->damage());
    }
  }
  if (health.reason.empty()) warn(compactor_->trouble());
  if (const std::string trouble = tree_->trouble(); !trouble.empty()) {
    warn("the hashes of the Merkle tree cannot be kept, so that there are no proofs: " + trouble);
  }
  if (snapshots_) {
    const SnapshotHealth snapshots = snapshots_->health();
    if (health.reason.empty() && !snapshots.trouble.empty()) {
      warn("snapshots cannot be written: " + snapshots.trouble);
    }
    for (const std::string& note : snapshots.notes) warn(note);
  }
  {
    const MutexLock lock(deliveries_mutex_);
    if (deliveries_) {
      for (const std::string& note : deliveries_->notes()) warn(note);
      if (const std::string trouble = deliveries_->trouble(); health.reason.empty() && !trouble.empty()) {
        warn("how far deliveries have come cannot be kept, so that none is begun: " + trouble);
      }
    }
  }
  const auto index = index_->view();
  for (const auto& run : index->runs()) {
    if (run->damaged()) warn("an index run is damaged and is being made again from the log: " + run->file().path());
  }
  health.index_runs = index->runs().size();
  health.scrub_passes = scrubber_->passes();
  health.scrubbed_bytes = scrubber_->bytes();
  health.groups = committer_->groups();
  health.records_appended = committer_->records();
  health.queue_proposals = sequencer_->waiting();
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
  const auto list = segments_.list();
  for (const auto& segment : *list) {
    metrics.log_bytes +=
        segment == list->back() ? active_bytes_.load(std::memory_order_relaxed) : segment->file_bytes();
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

}  // namespace stele
