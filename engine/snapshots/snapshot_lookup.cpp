#include <algorithm>

#include "engine/snapshots/snapshot_store_parts.h"

namespace stele {
namespace {

/// A state and where its bytes are: in a file, or in memory.
struct FoundState : StoredState {
  const SnapshotFile* file;
  std::shared_ptr<const std::string> buffered;
};

}  // namespace

std::optional<Snapshot> SnapshotStore::at_or_before(SnapshotKey key, SequenceNumber at_most) const {
  if (!is_snapshot_id(key.aggregate_id) || !is_snapshot_id(key.name)) return std::nullopt;
  const std::string deletion = deletion_key(key.aggregate_id);
  const std::string states = states_key(key.aggregate_id, key.name);
  while (true) {
    std::vector<FoundState> candidates;
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
          add_state(candidates, FoundState{stored, nullptr, state.bytes}, false);
        }
      }
    }
    for (std::size_t i = files->size(); i-- > 0;) {
      const SnapshotFile& file = *(*files)[i];
      bool deleted = false;
      if (file.usable()) {
        if (const auto found = file.find(states)) {
          for (const StoredState& state : *found) add_state(candidates, FoundState{state, &file, nullptr}, false);
        }
        const auto deletes = file.deletes(deletion);
        deleted = deletes && *deletes;
      }
      if (!file.usable()) {
        note_damage(file, kSnapshotDamaged);
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
    note_damage(*found->file, kSnapshotDamaged);
  }
}

}  // namespace stele
