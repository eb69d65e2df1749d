#include "engine/snapshots/snapshot_store.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/snapshots/snapshot_folder.h"

namespace stele {
namespace {

constexpr std::int64_t kRetryMicros = 1'000'000;
constexpr std::size_t kNotesMax = 16;
constexpr const char* kDamaged = "a snapshot file is damaged";

/// A state and where its bytes are: in a file, or in memory.
struct Candidate : StoredState {
  const SnapshotFile* file;
  std::shared_ptr<const std::string> buffered;
};

bool is_id(std::string_view text) { return !text.empty() && text.size() <= kSnapshotIdBytesMax; }

Error invalid(const char* what) { return Error{.kind = ErrorKind::InvalidArgument, .message = what}; }
Error closed() { return Error{.kind = ErrorKind::Closed, .message = "the snapshot store is closed"}; }

}  // namespace

/// The right to do one kind of work, waited for and given back with mutex_ held.
class SnapshotStore::Turn {
 public:
  Turn(SnapshotStore& store, bool& taken) REQUIRES(store.mutex_) : store_(store), taken_(taken) {
    while (taken_) store.changed_.wait(store.mutex_);
    taken_ = true;
  }
  ~Turn() {
    taken_ = false;
    store_.changed_.notify_all();
  }
  Turn(const Turn&) = delete;

 private:
  SnapshotStore& store_;
  bool& taken_;
};

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
  if (store->in_background()) store->thread_ = std::thread([s = store.get()] { s->run(); });
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
  if (!is_id(key.aggregate_id) || !is_id(key.name)) return invalid("an aggregate id and a name have 1 to 255 bytes");
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
  if (memory_full() && immutable_.empty()) freeze();
  if (closed_) return closed();
  if (memory_full()) {
    ++refused_;
    return Error{.kind = ErrorKind::Busy, .message = "snapshots come faster than they can be written"};
  }
  const bool first = newest_.empty();
  if (first) newest_since_ = options_.clock->monotonic_micros();
  newest_.put(states_key(key.aggregate_id, key.name), std::move(buffered));
  if (memory_full() && immutable_.empty()) freeze();
  if (!in_background()) {
    work();
  } else if (first || !immutable_.empty()) {
    changed_.notify_all();
  }
  return {};
}

std::optional<Snapshot> SnapshotStore::at_or_before(SnapshotKey key, SequenceNumber at_most) const {
  if (!is_id(key.aggregate_id) || !is_id(key.name)) return std::nullopt;
  const std::string deletion = deletion_key(key.aggregate_id);
  const std::string states = states_key(key.aggregate_id, key.name);
  while (true) {
    std::vector<Candidate> candidates;
    std::shared_ptr<const SnapshotFiles> files;
    {
      const MutexLock lock(mutex_);
      files = files_;
      for (const SnapshotBuffer* const buffer : {&newest_, &immutable_}) {
        const SnapshotBuffer::States* const found = buffer->find(states);
        for (std::size_t i = 0; found != nullptr && i < found->size(); ++i) {
          const BufferedState& state = (*found)[i];
          const StoredState stored{
              .sequence = state.sequence, .fingerprint = state.fingerprint, .time = state.time, .keep = state.keep};
          add_state(candidates, Candidate{stored, nullptr, state.bytes}, false);
        }
      }
    }
    for (std::size_t i = files->size(); i-- > 0;) {
      const SnapshotFile& file = *(*files)[i];
      bool deleted = false;
      if (file.usable()) {
        if (const auto found = file.find(states)) {
          for (const StoredState& state : *found) add_state(candidates, Candidate{state, &file, nullptr}, false);
        }
        const auto deletes = file.deletes(deletion);
        deleted = deletes && *deletes;
      }
      if (!file.usable()) {
        note_damage(file, kDamaged);
        deleted = file.name().deletions;  // perhaps
      }
      if (deleted) break;  // what older files hold
    }
    drop_superseded(candidates);
    const auto found = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const auto& state) { return state.sequence <= at_most; });
    if (found == candidates.end()) return std::nullopt;
    Snapshot snapshot{found->sequence, found->fingerprint, found->time, {}};
    if (found->file == nullptr) {
      snapshot.state = *found->buffered;
      return snapshot;
    }
    if (found->file->usable() && found->file->read(*found, snapshot.state)) return snapshot;
    // One usable file less: this ends.
    note_damage(*found->file, kDamaged);
  }
}

Status SnapshotStore::remove(std::string_view aggregate_id) {
  if (!is_id(aggregate_id)) return invalid("an aggregate id has 1 to 255 bytes");
  const std::string key = deletion_key(aggregate_id);
  const MutexLock lock(mutex_);
  if (closed_) return closed();
  Status removed;
  {
    const Turn turn(*this, writing_);
    newest_.remove_aggregate(key);
    immutable_.remove_aggregate(key);
    const std::uint64_t number = next_number_;
    const auto file = [&]() REQUIRES(mutex_) {
      const MutexUnlock unlocked(mutex_);
      return put_in_place({number, number}, write_deletion(key, number));
    }();
    if (file) {
      auto files = std::make_shared<SnapshotFiles>(*files_);
      files->push_back(*file);
      files_ = std::move(files);
      ++next_number_;
      ++renames_;
      removed = settle();
    } else {
      removed = file.error();
    }
    after(removed, write_retry_at_);
  }
  if (!in_background()) work();
  return removed;
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
    if (immutable_.empty() && memory_due()) freeze();
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

void SnapshotStore::freeze() {
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
  if (immutable_.empty() && !newest_.empty()) freeze();
  if (!immutable_.empty()) STELE_TRY(write_immutable(nullptr));
  return renames_synced_ < renames_ ? settle() : Status{};
}

void SnapshotStore::write_beside_merge() {
  const MutexLock lock(mutex_);
  if (writing_ || !memory_due() || options_.clock->monotonic_micros() < write_retry_at_) return;
  const Turn turn(*this, writing_);
  if (immutable_.empty()) freeze();
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
      if (!input->usable()) note_damage(*input, kDamaged);
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

Result<SnapshotFileName> SnapshotStore::write_states(const SnapshotBuffer& states, std::uint64_t number,
                                                     RateLimiter* limiter) const {
  STELE_TRY(in_place());
  STELE_ASSIGN(const auto writer, SnapshotFileWriter::create(*options_.file_system, options_.folder, {number, number},
                                                             options_.store_id, states.entries().size(), limiter));
  for (const auto& [key, of_key] : states.entries()) {
    StoredStates stored;
    for (const BufferedState& state : of_key) {
      stored.push_back({.sequence = state.sequence,
                        .fingerprint = state.fingerprint,
                        .time = state.time,
                        .keep = state.keep,
                        .offset = writer->offset(),
                        .bytes = state.bytes->size(),
                        .checksum = state.checksum});
      STELE_TRY(writer->append(*state.bytes));
    }
    STELE_TRY(writer->add_states(key, stored));
  }
  return writer->finish();
}

Result<SnapshotFileName> SnapshotStore::write_deletion(const std::string& key, std::uint64_t number) const {
  STELE_TRY(in_place());
  STELE_ASSIGN(const auto writer, SnapshotFileWriter::create(*options_.file_system, options_.folder, {number, number},
                                                             options_.store_id, 1, nullptr));
  STELE_TRY(writer->add_deletion(key));
  return writer->finish();
}

Status SnapshotStore::remove_file(const std::string& name) const {
  STELE_TRY(in_place());
  Status removed = options_.file_system->remove(path(name));
  return !removed && removed.error().kind == ErrorKind::NotFound ? Status{} : removed;
}

/// Opens the file that was `written` whole under the temporary name of `numbers`, and gives it its own; without mutex_.
/// If anything failed the file is gone.
Result<std::shared_ptr<SnapshotFile>> SnapshotStore::put_in_place(SnapshotFileName numbers,
                                                                  const Result<SnapshotFileName>& written) {
  const std::string temporary = numbers.temporary();
  const auto place = [&]() -> Result<std::shared_ptr<SnapshotFile>> {
    if (!written) return written.error();
    // Opened first, so that the rename, which cannot be taken back, is the last that can fail.
    STELE_ASSIGN(auto file, SnapshotFile::open(*options_.file_system, path(temporary), *written, options_.store_id));
    const std::string name = written->text();
    STELE_TRY(in_place());
    if (Status renamed = options_.file_system->rename(path(temporary), path(name)); !renamed) {
      // Nobody knows whether it happened.
      if (!has_file(name)) (void)remove_file(name);
      return renamed.error();
    }
    return file;
  };
  auto file = place();
  if (file) return file;
  if (!remove_file(temporary)) {
    const MutexLock lock(mutex_);
    // A retry has the same name.
    if (std::find(leftovers_.begin(), leftovers_.end(), temporary) == leftovers_.end()) leftovers_.push_back(temporary);
  }
  return file;
}

bool SnapshotStore::has_file(const std::string& name) const {
  const MutexLock lock(mutex_);
  return std::any_of(files_->begin(), files_->end(), [&](const auto& file) { return file->name().text() == name; });
}

/// Syncs the folder, and then removes what is superseded.
Status SnapshotStore::settle() {
  const std::uint64_t renames = renames_;
  std::vector<std::string> names = std::move(leftovers_);
  leftovers_.clear();
  Status synced;
  std::vector<std::string> left;
  {
    const MutexUnlock unlocked(mutex_);
    synced = in_place();
    if (synced) synced = options_.file_system->sync_directory(options_.folder);
    for (const std::string& name : names) {
      if (!synced || !remove_file(name)) left.push_back(name);
    }
  }
  leftovers_.insert(leftovers_.end(), left.begin(), left.end());
  if (synced) renames_synced_ = std::max(renames_synced_, renames);
  return synced;
}

void SnapshotStore::after(const Status& status, std::int64_t& retry_at) {
  if (!status && status.error().kind == ErrorKind::Closed) return;
  trouble_ = status ? std::string() : status.error().describe();
  if (!status) retry_at = options_.clock->monotonic_micros() + kRetryMicros;
}

void SnapshotStore::note_damage(const SnapshotFile& file, const std::string& what) const {
  if (!file.note_once()) return;
  const MutexLock lock(mutex_);
  ++damaged_files_;
  if (notes_.size() < kNotesMax)
    notes_.push_back(what + " [" + path(file.name().text()) + "]: its snapshots are not used");
  changed_.notify_all();
}

}  // namespace stele
