#include <algorithm>

#include "engine/snapshots/snapshot_store_parts.h"

namespace stele {
namespace {

constexpr std::size_t kNotesMax = 16;

}  // namespace

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

Result<SnapshotFileName> SnapshotStore::write_deletions(std::span<const std::string> keys, std::uint64_t number) const {
  STELE_TRY(in_place());
  STELE_ASSIGN(const auto writer, SnapshotFileWriter::create(*options_.file_system, options_.folder, {number, number},
                                                             options_.store_id, keys.size(), nullptr));
  for (const std::string& key : keys) STELE_TRY(writer->add_deletion(key));
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

void SnapshotStore::note_damage(const SnapshotFile& file, const std::string& what) const {
  if (!file.note_once()) return;
  const MutexLock lock(mutex_);
  ++damaged_files_;
  if (notes_.size() < kNotesMax)
    notes_.push_back(what + " [" + path(file.name().text()) + "]: its snapshots are not used");
  changed_.notify_all();
}

}  // namespace stele
