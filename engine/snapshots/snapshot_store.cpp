#include "engine/snapshots/snapshot_store.h"

#include <algorithm>
#include <system_error>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/no_thread.h"
#include "engine/snapshots/snapshot_folder.h"
#include "engine/snapshots/snapshot_store_parts.h"

namespace stele {
namespace {

Error invalid(const char* what) { return Error{.kind = ErrorKind::InvalidArgument, .message = what}; }
Error closed() { return Error{.kind = ErrorKind::Closed, .message = "the snapshot store is closed"}; }

}  // namespace

SnapshotStore::SnapshotStore(SnapshotStoreOptions options)
    : options_(std::move(options)),
      limiter_(options_.settings.write_bytes_per_second),
      files_(std::make_shared<SnapshotFiles>()) {
  STELE_CHECK(settings_.keep >= 1 && settings_.keep <= kSnapshotKeepMax);
}

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open(SnapshotStoreOptions options) {
  std::unique_ptr<SnapshotStore> store(new SnapshotStore(std::move(options)));
  if (Status opened = store->open_folder(); !opened) {
    const MutexLock lock(store->mutex_);
    store->closed_ = true;
    return opened.error();
  }
  if (!store->in_background()) return store;
  try {
    store->thread_ = std::thread([s = store.get()] { s->run(); });
  } catch (const std::system_error& error) {
    const MutexLock lock(store->mutex_);
    store->closed_ = true;
    return no_thread(error, "the snapshots");
  }
  return store;
}

Status SnapshotStore::open_folder() {
  STELE_TRY(in_place());
  STELE_TRY(options_.file_system->create_folders(options_.folder));
  STELE_ASSIGN(const std::vector<std::string> entries, options_.file_system->list(options_.folder));
  SnapshotFolderPlan plan = plan_snapshot_folder(entries);
  auto files = std::make_shared<SnapshotFiles>();
  for (const SnapshotFileName& name : plan.files) {
    auto file = SnapshotFile::open(*options_.file_system, path(name.text()), name, options_.store_id);
    files->push_back(file ? std::move(*file) : SnapshotFile::unreadable(name));
    if (!file) note_damage(*files->back(), file.error().describe());
  }
  const MutexLock lock(mutex_);
  next_number_ = plan.next;
  files_ = std::move(files);
  if (!plan.dropped.empty()) {
    notes_.push_back("snapshot files are missing: " + std::to_string(plan.dropped.size()) + " older ones are given up");
    ++damaged_files_;
  }
  leftovers_ = std::move(plan.leftovers);
  leftovers_.insert(leftovers_.end(), plan.dropped.begin(), plan.dropped.end());
  // What a merge made may have been seen by nobody but the page cache; what it was made of goes only after it is
  // durable.
  ++renames_;
  after(settle(), compaction_retry_at_);
  return {};
}

SnapshotStore::~SnapshotStore() { (void)close(); }

Status SnapshotStore::close() {
  {
    const MutexLock lock(mutex_);
    if (closed_) return {};
    closed_ = true;
    changed_.notify_all();
  }
  limiter_.stop();
  if (thread_.joinable()) thread_.join();
  const MutexLock lock(mutex_);
  const Turn merging(*this, merging_);
  const Turn writing(*this, writing_);
  Status written = write_memory();
  after(written, write_retry_at_);
  return written;
}

Status SnapshotStore::put(SnapshotKey key, SequenceNumber sequence, const Digest& fingerprint, std::string state,
                          std::uint32_t keep) {
  if (!is_snapshot_id(key.aggregate_id) || !is_snapshot_id(key.name))
    return invalid("an aggregate id and a name have 1 to 255 bytes");
  if (sequence == SequenceNumber{}) return invalid("sequence numbers begin at 1");
  if (keep > kSnapshotKeepMax) return invalid("too many snapshots to keep");
  if (state.size() > settings_.state_bytes_max) {
    return Error{.kind = ErrorKind::TooLarge, .message = "the state is larger than a snapshot may be"};
  }
  BufferedState buffered{.sequence = sequence,
                         .fingerprint = fingerprint,
                         .time = options_.clock->now(),
                         .keep = keep == 0 ? settings_.keep : keep,
                         .checksum = xxh3(state),
                         .bytes = nullptr};
  buffered.bytes = std::make_shared<const std::string>(std::move(state));

  const MutexLock lock(mutex_);
  if (memory_full() && !in_background()) work();
  if (memory_full() && immutable_.empty()) make_immutable();
  if (closed_) return closed();
  if (memory_full()) {
    ++refused_;
    return Error{.kind = ErrorKind::Busy, .message = "snapshots come faster than they can be written"};
  }
  const bool first = newest_.empty();
  if (first) newest_since_ = options_.clock->monotonic_micros();
  newest_.put(states_key(key.aggregate_id, key.name), std::move(buffered));
  if (memory_full() && immutable_.empty()) make_immutable();
  if (!in_background()) {
    work();
  } else if (first || !immutable_.empty()) {
    changed_.notify_all();
  }
  return {};
}

Status SnapshotStore::remove(std::string_view aggregate_id) {
  if (!is_snapshot_id(aggregate_id)) return invalid("an aggregate id has 1 to 255 bytes");
  const std::string key = deletion_key(aggregate_id);
  const MutexLock lock(mutex_);
  if (closed_) return closed();
  Status removed = delete_states({&key, 1});
  if (!in_background()) work();
  return removed;
}

Status SnapshotStore::delete_states(std::span<const std::string> keys) {
  const Turn turn(*this, writing_);
  for (const std::string& key : keys) {
    newest_.remove_aggregate(key);
    immutable_.remove_aggregate(key);
  }
  const std::uint64_t number = next_number_;
  const auto file = [&]() REQUIRES(mutex_) {
    const MutexUnlock unlocked(mutex_);
    return put_in_place({number, number}, write_deletions(keys, number));
  }();
  Status removed = file ? Status{} : Status(file.error());
  if (file) {
    auto files = std::make_shared<SnapshotFiles>(*files_);
    files->push_back(*file);
    files_ = std::move(files);
    ++next_number_;
    ++renames_;
    removed = settle();
  }
  after(removed, write_retry_at_);
  return removed;
}

Status SnapshotStore::purge(std::span<const std::string> aggregate_ids) {
  std::vector<std::string> keys;
  for (const std::string& id : aggregate_ids) {
    if (!is_snapshot_id(id)) return invalid("an aggregate id has 1 to 255 bytes");
    keys.push_back(deletion_key(id));
  }
  if (keys.empty()) return {};
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  {
    const MutexLock lock(mutex_);
    if (closed_) return closed();
    STELE_TRY(delete_states(keys));
  }
  return compact();
}

Status SnapshotStore::flush() {
  const MutexLock lock(mutex_);
  if (closed_) return closed();
  Status written;
  {
    const Turn turn(*this, writing_);
    written = write_memory();
    after(written, write_retry_at_);
  }
  if (!in_background()) work();
  return written;
}

Status SnapshotStore::compact() {
  const MutexLock lock(mutex_);
  if (closed_) return closed();
  const Turn turn(*this, merging_);
  Status merged;
  // Each further round has a usable file less.
  for (std::size_t rounds = files_->size() + 1; rounds > 0 && !files_->empty(); --rounds) {
    merged = merge({0, files_->size() - 1});
    if (merged || merged.error().kind != ErrorKind::Corrupt) break;
  }
  if (merged) merged = settle();  // removals are to be durable too
  if (merged && !leftovers_.empty()) {
    merged =
        Error{.kind = ErrorKind::Io, .message = "a snapshot file cannot be removed", .file = path(leftovers_.front())};
  }
  after(merged, compaction_retry_at_);
  return merged;
}

SnapshotHealth SnapshotStore::health() const {
  const MutexLock lock(mutex_);
  SnapshotHealth health{.trouble = trouble_, .notes = notes_, .damaged_files = damaged_files_, .files = files_->size()};
  for (const auto& file : *files_) health.file_bytes += file->file_bytes();
  health.memory_bytes = newest_.bytes() + immutable_.bytes();
  health.refused = refused_;
  return health;
}

}  // namespace stele
