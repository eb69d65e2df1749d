#pragma once
// What the files share that SnapshotStore is made of: its calls are in snapshot_store.cpp, finding a state in
// snapshot_lookup.cpp, what is due and when in snapshot_work.cpp, files and their names in snapshot_placing.cpp.

#include <string_view>

#include "engine/snapshots/snapshot_store.h"

namespace stele {

inline constexpr const char* kSnapshotDamaged = "a snapshot file is damaged";

inline bool is_snapshot_id(std::string_view text) { return !text.empty() && text.size() <= kSnapshotIdBytesMax; }

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

}  // namespace stele
