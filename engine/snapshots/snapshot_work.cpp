#include <algorithm>

#include "engine/base/check.h"
#include "engine/snapshots/snapshot_store_parts.h"

namespace stele {
namespace {

constexpr std::int64_t kRetryMicros = 1'000'000;

}  // namespace

void SnapshotStore::run() {
  const MutexLock lock(mutex_);
  while (!closed_) {
    const std::int64_t now = options_.clock->monotonic_micros();
    if ((memory_due() && now >= write_retry_at_) || (compaction_due() && now >= compaction_retry_at_)) {
      work();
      continue;
    }
    std::optional<std::int64_t> next;
    if (!immutable_.empty()) {
      next = write_retry_at_;
    } else if (!newest_.empty()) {
      next = std::max(newest_since_ + settings_.memory_age_max.count(), write_retry_at_);
    }
    if (compaction_due()) next = std::min(next.value_or(compaction_retry_at_), compaction_retry_at_);
    if (next) {
      changed_.wait_for(mutex_, std::chrono::microseconds(std::max<std::int64_t>(*next - now, 1)));
    } else {
      changed_.wait(mutex_);
    }
  }
}

bool SnapshotStore::memory_full() const { return newest_.bytes() >= settings_.memory_bytes_max; }

bool SnapshotStore::memory_due() const {
  if (!immutable_.empty()) return true;
  return !newest_.empty() && options_.clock->monotonic_micros() - newest_since_ >= settings_.memory_age_max.count();
}

bool SnapshotStore::compaction_due() const { return !merging_ && pick_snapshot_compaction(*files_).has_value(); }

bool SnapshotStore::may_work(std::int64_t retry_at) const {
  return !closed_ && (!in_background() || options_.clock->monotonic_micros() >= retry_at);
}

/// What is due, once. Trouble is remembered, and in the background tried again after a while.
void SnapshotStore::work() {
  RateLimiter* const limiter = in_background() ? &limiter_ : nullptr;
  if (memory_due() && may_work(write_retry_at_)) {
    const Turn turn(*this, writing_);
    if (immutable_.empty() && memory_due()) make_immutable();
    if (!immutable_.empty()) after(write_immutable(limiter), write_retry_at_);
  }
  if (!compaction_due() || !may_work(compaction_retry_at_)) return;
  const Turn turn(*this, merging_);
  while (!closed_) {
    const auto range = pick_snapshot_compaction(*files_);
    if (!range) return;
    const Status merged = merge(*range);
    after(merged, compaction_retry_at_);
    if (!merged) return;
  }
}

void SnapshotStore::make_immutable() {
  STELE_CHECK(immutable_.empty());
  immutable_ = std::move(newest_);
  newest_ = SnapshotBuffer();
}

/// Needs the turn to write.
Status SnapshotStore::write_immutable(RateLimiter* limiter) {
  const std::uint64_t number = next_number_;
  // By the turn, and so without the mutex.
  const SnapshotBuffer* const states = &immutable_;
  const auto file = [&]() REQUIRES(mutex_) {
    const MutexUnlock unlocked(mutex_);
    return put_in_place({number, number}, write_states(*states, number, limiter));
  }();
  if (!file) return file.error();
  auto files = std::make_shared<SnapshotFiles>(*files_);
  files->push_back(*file);
  files_ = std::move(files);
  immutable_ = SnapshotBuffer();
  ++next_number_;
  ++renames_;
  return settle();
}

/// Needs the turn to write.
Status SnapshotStore::write_memory() {
  if (!immutable_.empty()) STELE_TRY(write_immutable(nullptr));
  // Others may have put more meanwhile, and it may be immutable by now.
  if (immutable_.empty() && !newest_.empty()) make_immutable();
  if (!immutable_.empty()) STELE_TRY(write_immutable(nullptr));
  return renames_synced_ < renames_ ? settle() : Status{};
}

void SnapshotStore::write_beside_merge() {
  const MutexLock lock(mutex_);
  if (writing_ || !memory_due() || options_.clock->monotonic_micros() < write_retry_at_) return;
  const Turn turn(*this, writing_);
  if (immutable_.empty()) make_immutable();
  after(write_immutable(&limiter_), write_retry_at_);
}

/// Needs the turn to merge.
Status SnapshotStore::merge(SnapshotCompactionRange range) {
  const SnapshotFiles inputs(files_->begin() + range.first, files_->begin() + range.last + 1);
  SnapshotCompactionContext context{.file_system = options_.file_system,
                                    .folder = options_.folder,
                                    .store_id = options_.store_id,
                                    .limiter = in_background() ? &limiter_ : nullptr,
                                    .unwanted = settings_.unwanted,
                                    .between = {}};
  // Puts do not wait for a long merge.
  if (in_background()) context.between = [this] { write_beside_merge(); };
  const auto file = [&]() REQUIRES(mutex_) {
    const MutexUnlock unlocked(mutex_);
    const Status seen = in_place();
    auto name = seen ? compact_snapshot_files(context, inputs, range.first == 0) : seen.error();
    for (const auto& input : inputs) {
      if (!input->usable()) note_damage(*input, kSnapshotDamaged);
    }
    return put_in_place({inputs.front()->name().low, inputs.back()->name().high}, name);
  }();
  if (!file) return file.error();
  auto files = std::make_shared<SnapshotFiles>(*files_);
  // Files were only added behind the inputs since.
  files->erase(files->begin() + range.first, files->begin() + range.last + 1);
  files->insert(files->begin() + range.first, *file);
  files_ = std::move(files);
  for (const auto& input : inputs) {
    if (input->name() != (*file)->name()) leftovers_.push_back(input->name().text());
  }
  ++renames_;
  return settle();
}

void SnapshotStore::after(const Status& status, std::int64_t& retry_at) {
  if (!status && status.error().kind == ErrorKind::Closed) return;
  trouble_ = status ? std::string() : status.error().describe();
  if (!status) retry_at = options_.clock->monotonic_micros() + kRetryMicros;
}

}  // namespace stele
