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

Result<SnapshotFileName> write_states(const SnapshotStoreOptions& options, const SnapshotBuffer& states,
                                      std::uint64_t number, RateLimiter* limiter) {
  STELE_ASSIGN(const auto writer, SnapshotFileWriter::create(*options.file_system, options.folder, {number, number},
                                                             options.store_id, states.entries().size(), limiter));
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

Result<SnapshotFileName> write_deletion(const SnapshotStoreOptions& options, const std::string& key,
                                        std::uint64_t number) {
  STELE_ASSIGN(const auto writer, SnapshotFileWriter::create(*options.file_system, options.folder, {number, number},
                                                             options.store_id, 1, nullptr));
  STELE_TRY(writer->add_deletion(key));
  return writer->finish();
}

}  // namespace

/// The right to do one kind of work, waited for and given back with mutex_ held.
class SnapshotStore::Turn {
 public:
  Turn(SnapshotStore& store, Lock& lock, bool& taken) : store_(store), taken_(taken) {
    store_.changed_.wait(lock, [&] { return !taken_; });
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
      limiter_(options_.write_bytes_per_second),
      files_(std::make_shared<SnapshotFiles>()) {
  STELE_CHECK(options_.keep >= 1 && options_.keep <= kSnapshotKeepMax);
}

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open(SnapshotStoreOptions options) {
  std::unique_ptr<SnapshotStore> store(new SnapshotStore(std::move(options)));
  if (Status opened = store->open_folder(); !opened) {
    store->closed_ = true;
    return opened.error();
  }
  if (store->in_background()) store->thread_ = std::thread([s = store.get()] { s->run(); });
  return store;
}

Status SnapshotStore::open_folder() {
  STELE_TRY(options_.file_system->create_folders(options_.folder));
  STELE_ASSIGN(const std::vector<std::string> entries, options_.file_system->list(options_.folder));
  SnapshotFolderPlan plan = plan_snapshot_folder(entries);
  next_number_ = plan.next;
  auto files = std::make_shared<SnapshotFiles>();
  for (const SnapshotFileName& name : plan.files) {
    auto file = SnapshotFile::open(*options_.file_system, path(name.text()), name, options_.store_id);
    files->push_back(file ? std::move(*file) : SnapshotFile::unreadable(name));
    if (!file) note_damage(*files->back(), file.error().describe());
  }
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
  Lock lock(mutex_);
  after(settle(lock), compaction_retry_at_);
  return {};
}

SnapshotStore::~SnapshotStore() { (void)close(); }

Status SnapshotStore::close() {
  Lock lock(mutex_);
  if (closed_) return {};
  closed_ = true;
  changed_.notify_all();
  lock.unlock();
  limiter_.stop();
  if (thread_.joinable()) thread_.join();
  lock.lock();
  const Turn merging(*this, lock, merging_);
  const Turn writing(*this, lock, writing_);
  Status written = write_memory(lock);
  after(written, write_retry_at_);
  return written;
}

Status SnapshotStore::put(SnapshotKey key, SequenceNumber sequence, const Digest& fingerprint, std::string state,
                          std::uint32_t keep) {
  if (!is_id(key.aggregate_id) || !is_id(key.name)) return invalid("an aggregate id and a name have 1 to 255 bytes");
  if (sequence == SequenceNumber{}) return invalid("sequence numbers begin at 1");
  if (keep > kSnapshotKeepMax) return invalid("too many snapshots to keep");
  if (state.size() > options_.state_bytes_max) {
    return Error{.kind = ErrorKind::TooLarge, .message = "the state is larger than a snapshot may be"};
  }
  BufferedState buffered{.sequence = sequence,
                         .fingerprint = fingerprint,
                         .time = options_.clock->now(),
                         .keep = keep == 0 ? options_.keep : keep,
                         .checksum = xxh3(state),
                         .bytes = nullptr};
  buffered.bytes = std::make_shared<const std::string>(std::move(state));

  Lock lock(mutex_);
  const auto full = [&] { return newest_.bytes() >= options_.memory_bytes_max; };
  if (full() && !in_background()) work(lock);
  if (full() && immutable_.empty()) freeze();
  if (closed_) return closed();
  if (full()) {
    ++refused_;
    return Error{.kind = ErrorKind::Busy, .message = "snapshots come faster than they can be written"};
  }
  const bool first = newest_.empty();
  if (first) newest_since_ = options_.clock->monotonic_micros();
  newest_.put(states_key(key.aggregate_id, key.name), std::move(buffered));
  if (full() && immutable_.empty()) freeze();
  if (!in_background()) {
    work(lock);
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
      const Lock lock(mutex_);
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
  Lock lock(mutex_);
  if (closed_) return closed();
  Status removed;
  {
    const Turn turn(*this, lock, writing_);
    newest_.remove_aggregate(key);
    immutable_.remove_aggregate(key);
    const std::uint64_t number = next_number_;
    lock.unlock();
    auto file = put_in_place({number, number}, write_deletion(options_, key, number));
    lock.lock();
    if (file) {
      auto files = std::make_shared<SnapshotFiles>(*files_);
      files->push_back(std::move(*file));
      files_ = std::move(files);
      ++next_number_;
      ++renames_;
      removed = settle(lock);
    } else {
      removed = file.error();
    }
    after(removed, write_retry_at_);
  }
  if (!in_background()) work(lock);
  return removed;
}

Status SnapshotStore::flush() {
  Lock lock(mutex_);
  if (closed_) return closed();
  Status written;
  {
    const Turn turn(*this, lock, writing_);
    written = write_memory(lock);
    after(written, write_retry_at_);
  }
  if (!in_background()) work(lock);
  return written;
}

Status SnapshotStore::compact() {
  Lock lock(mutex_);
  if (closed_) return closed();
  const Turn turn(*this, lock, merging_);
  Status merged;
  // Each further round has a usable file less.
  for (std::size_t rounds = files_->size() + 1; rounds > 0 && !files_->empty(); --rounds) {
    merged = merge(lock, {0, files_->size() - 1});
    if (merged || merged.error().kind != ErrorKind::Corrupt) break;
  }
  if (merged) merged = settle(lock);  // removals are to be durable too
  if (merged && !leftovers_.empty()) {
    merged =
        Error{.kind = ErrorKind::Io, .message = "a snapshot file cannot be removed", .file = path(leftovers_.front())};
  }
  after(merged, compaction_retry_at_);
  return merged;
}

SnapshotHealth SnapshotStore::health() const {
  const Lock lock(mutex_);
  SnapshotHealth health{.trouble = trouble_, .notes = notes_, .damaged_files = damaged_files_, .files = files_->size()};
  for (const auto& file : *files_) health.file_bytes += file->file_bytes();
  health.memory_bytes = newest_.bytes() + immutable_.bytes();
  health.refused = refused_;
  return health;
}

void SnapshotStore::run() {
  Lock lock(mutex_);
  while (!closed_) {
    const std::int64_t now = options_.clock->monotonic_micros();
    if ((memory_due() && now >= write_retry_at_) || (compaction_due() && now >= compaction_retry_at_)) {
      work(lock);
      continue;
    }
    std::optional<std::int64_t> next;
    if (!immutable_.empty()) {
      next = write_retry_at_;
    } else if (!newest_.empty()) {
      next = std::max(newest_since_ + options_.memory_age_max.count(), write_retry_at_);
    }
    if (compaction_due()) next = std::min(next.value_or(compaction_retry_at_), compaction_retry_at_);
    if (next) {
      changed_.wait_for(lock, std::chrono::microseconds(std::max<std::int64_t>(*next - now, 1)));
    } else {
      changed_.wait(lock);
    }
  }
}

bool SnapshotStore::memory_due() const {
  if (!immutable_.empty()) return true;
  return !newest_.empty() && options_.clock->monotonic_micros() - newest_since_ >= options_.memory_age_max.count();
}

bool SnapshotStore::compaction_due() const { return !merging_ && pick_snapshot_compaction(*files_).has_value(); }

/// What is due, once. Trouble is remembered, and in the background tried again after a while.
void SnapshotStore::work(Lock& lock) {
  RateLimiter* const limiter = in_background() ? &limiter_ : nullptr;
  const auto may = [&](std::int64_t retry_at) {
    return !closed_ && (!in_background() || options_.clock->monotonic_micros() >= retry_at);
  };
  if (memory_due() && may(write_retry_at_)) {
    const Turn turn(*this, lock, writing_);
    if (immutable_.empty() && memory_due()) freeze();
    if (!immutable_.empty()) after(write_immutable(lock, limiter), write_retry_at_);
  }
  if (!compaction_due() || !may(compaction_retry_at_)) return;
  const Turn turn(*this, lock, merging_);
  while (!closed_) {
    const auto range = pick_snapshot_compaction(*files_);
    if (!range) return;
    const Status merged = merge(lock, *range);
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
Status SnapshotStore::write_immutable(Lock& lock, RateLimiter* limiter) {
  const std::uint64_t number = next_number_;
  lock.unlock();
  auto file = put_in_place({number, number}, write_states(options_, immutable_, number, limiter));
  lock.lock();
  if (!file) return file.error();
  auto files = std::make_shared<SnapshotFiles>(*files_);
  files->push_back(std::move(*file));
  files_ = std::move(files);
  immutable_ = SnapshotBuffer();
  ++next_number_;
  ++renames_;
  return settle(lock);
}

/// Needs the turn to write.
Status SnapshotStore::write_memory(Lock& lock) {
  if (!immutable_.empty()) STELE_TRY(write_immutable(lock, nullptr));
  // Others may have put more meanwhile, and it may be immutable by now.
  if (immutable_.empty() && !newest_.empty()) freeze();
  if (!immutable_.empty()) STELE_TRY(write_immutable(lock, nullptr));
  return renames_synced_ < renames_ ? settle(lock) : Status{};
}

/// Needs the turn to merge.
Status SnapshotStore::merge(Lock& lock, SnapshotCompactionRange range) {
  const SnapshotFiles inputs(files_->begin() + range.first, files_->begin() + range.last + 1);
  SnapshotCompactionContext context{.file_system = options_.file_system,
                                    .folder = options_.folder,
                                    .store_id = options_.store_id,
                                    .limiter = in_background() ? &limiter_ : nullptr,
                                    .unwanted = options_.unwanted,
                                    .between = {}};
  if (in_background()) {
    // Puts do not wait for a long merge.
    context.between = [this] {
      Lock inner(mutex_);
      if (writing_ || !memory_due() || options_.clock->monotonic_micros() < write_retry_at_) return;
      const Turn turn(*this, inner, writing_);
      if (immutable_.empty()) freeze();
      after(write_immutable(inner, &limiter_), write_retry_at_);
    };
  }
  lock.unlock();
  auto name = compact_snapshot_files(context, inputs, range.first == 0);
  for (const auto& input : inputs) {
    if (!input->usable()) note_damage(*input, kDamaged);
  }
  auto file = put_in_place({inputs.front()->name().low, inputs.back()->name().high}, name);
  lock.lock();
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
  return settle(lock);
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
    if (Status renamed = options_.file_system->rename(path(temporary), path(name)); !renamed) {
      // Nobody knows whether it happened.
      if (!has_file(name)) (void)options_.file_system->remove(path(name));
      return renamed.error();
    }
    return file;
  };
  auto file = place();
  if (file) return file;
  const Status removed = options_.file_system->remove(path(temporary));
  if (!removed && removed.error().kind != ErrorKind::NotFound) {
    const Lock lock(mutex_);
    leftovers_.push_back(temporary);
  }
  return file;
}

bool SnapshotStore::has_file(const std::string& name) const {
  const Lock lock(mutex_);
  return std::any_of(files_->begin(), files_->end(), [&](const auto& file) { return file->name().text() == name; });
}

/// Syncs the folder, and then removes what is superseded.
Status SnapshotStore::settle(Lock& lock) {
  const std::uint64_t renames = renames_;
  std::vector<std::string> names = std::move(leftovers_);
  leftovers_.clear();
  lock.unlock();
  Status synced = options_.file_system->sync_directory(options_.folder);
  std::vector<std::string> left;
  for (const std::string& name : names) {
    const Status removed = synced ? options_.file_system->remove(path(name)) : Status(synced.error());
    if (!removed && removed.error().kind != ErrorKind::NotFound) left.push_back(name);
  }
  lock.lock();
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
  const Lock lock(mutex_);
  ++damaged_files_;
  if (notes_.size() < kNotesMax)
    notes_.push_back(what + " [" + path(file.name().text()) + "]: its snapshots are not used");
  changed_.notify_all();
}

}  // namespace stele
