#pragma once
// Folded states of aggregates, kept so that a replay need not begin at the first event. A log-structured merge-tree
// (O'Neil, Cheng, Gawlick, O'Neil, "The log-structured merge-tree", Acta Informatica 33, 1996) in files of its own:
// puts gather in memory, are written as one immutable file, and files are merged in the background. Bytes:
// format-spec.md ("Snapshot file").
//
// What it holds can be made again from the log, so it never makes trouble for anybody. A file that is damaged, missing
// or cannot be opened costs the states in it, and those in older files if it held deletions; what its states had
// superseded may be given out again. A disk that cannot be written costs the states put meanwhile. Health says so. The
// one promise is about deletions: once remove() has returned without an error, no state of the aggregate that was put
// before is ever given out again, after any crash and whatever damage, as long as the disk keeps the names of files
// that it has synced.

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/file_system.h"
#include "engine/base/mutex.h"
#include "engine/base/rate_limiter.h"
#include "engine/log/log_guard.h"
#include "engine/snapshots/snapshot_buffer.h"
#include "engine/snapshots/snapshot_compaction.h"
#include "engine/snapshots/snapshot_file.h"
#include "engine/snapshots/snapshot_settings.h"

namespace stele {

struct SnapshotStoreOptions {
  FileSystem* file_system;  ///< must outlive the store, as must the clock
  const Clock* clock;
  std::string folder;  ///< one store's own; created if it does not exist. The caller holds the data folder's lock.
  Uuid store_id;
  /// Asked before a file is made, renamed or removed, and before the folder is: under its name another store may lie.
  /// Displaced then, and what is in memory is never written. None = nobody else is expected there. Must outlive it.
  LogGuard* guard = nullptr;
  SnapshotSettings settings{};
};

/// Whose state: an aggregate's, as the caller's `name` (a handler, say) folds it. Both are 1 .. 255 bytes of any kind.
struct SnapshotKey {
  std::string_view aggregate_id;
  std::string_view name;
};

struct Snapshot {
  SequenceNumber sequence;  ///< of the last event in it
  Digest fingerprint{};     ///< as given to put(): of all that shaped it. The caller judges whether it still holds.
  Timestamp time;           ///< when it was put
  std::string state;        ///< opaque
};

struct SnapshotHealth {
  std::string trouble;              ///< why the last writing failed; empty if it did not. Heals by itself.
  std::vector<std::string> notes;   ///< damage that was found, the first of it
  std::uint64_t damaged_files = 0;  ///< since open
  std::uint64_t files = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t memory_bytes = 0;  ///< not written yet
  std::uint64_t refused = 0;       ///< put() answered Busy, since open
};

/// Thread-safe. Memory: the states not written yet, about 1/30,000 of the files' size, and while files are merged 1.5
/// bytes a key and 1/500 of the size of the merged one. Every call may wait for the disk, though latest(),
/// at_or_before() and put() never wait for a sync (but see write_bytes_per_second).
class SnapshotStore {
 public:
  /// Io or DiskFull: the folder cannot be made or listed. Damaged files are no error.
  [[nodiscard]] static Result<std::unique_ptr<SnapshotStore>> open(SnapshotStoreOptions options);
  /// As close().
  ~SnapshotStore();
  SnapshotStore(const SnapshotStore&) = delete;

  /// Keeps a state, replacing one of the same sequence number. At once visible; durable after flush() or some time. Of
  /// the key's states up to this sequence number the newest `keep` (0 = the option) are kept, this one among them; the
  /// others are superseded and no longer given out. InvalidArgument; TooLarge; Busy: memory is full because the disk is
  /// slow or fails; Closed.
  [[nodiscard]] Status put(SnapshotKey key, SequenceNumber sequence, const Digest& fingerprint, std::string state,
                           std::uint32_t keep = 0);

  /// The state with the greatest sequence number at or before `at_most`. None if there is none, or none that can be
  /// read.
  [[nodiscard]] std::optional<Snapshot> at_or_before(SnapshotKey key, SequenceNumber at_most) const;
  [[nodiscard]] std::optional<Snapshot> latest(SnapshotKey key) const {
    return at_or_before(key, SequenceNumber{std::numeric_limits<std::uint64_t>::max()});
  }

  /// Deletes the states of an aggregate of all names. Durable on return; after an error it may or may not have
  /// happened. Their bytes leave the disk with the next merge of all files: see compact(). InvalidArgument, Io,
  /// DiskFull, Closed.
  [[nodiscard]] Status remove(std::string_view aggregate_id);

  /// Deletes the states of these aggregates of all names, and with them their bytes: on return they are in no file of
  /// the folder and not in memory. As remove() and compact() together.
  [[nodiscard]] Status purge(std::span<const std::string> aggregate_ids);

  /// Everything put before is durable on return. Io, DiskFull, Closed.
  [[nodiscard]] Status flush();
  /// Merges all files into one. On return no file holds a state that was deleted or superseded before, or that is
  /// unwanted. Takes as long as writing everything at the background's rate. Io, DiskFull, Corrupt, Closed: not all was
  /// done.
  [[nodiscard]] Status compact();

  [[nodiscard]] SnapshotHealth health() const;

  /// Ends the background work and writes what is in memory. Idempotent. Reading stays possible.
  [[nodiscard]] Status close();

 private:
  class Turn;

  explicit SnapshotStore(SnapshotStoreOptions options);
  [[nodiscard]] Status open_folder();
  void run();

  // These let go of mutex_ while they use the disk.
  void work() REQUIRES(mutex_);
  [[nodiscard]] Status write_immutable(RateLimiter* limiter) REQUIRES(mutex_);
  [[nodiscard]] Status write_memory() REQUIRES(mutex_);
  [[nodiscard]] Status merge(SnapshotCompactionRange range) REQUIRES(mutex_);
  [[nodiscard]] Status settle() REQUIRES(mutex_);
  /// Deletion keys in ascending order.
  [[nodiscard]] Status delete_states(std::span<const std::string> keys) REQUIRES(mutex_);

  [[nodiscard]] bool memory_full() const REQUIRES(mutex_);
  [[nodiscard]] bool memory_due() const REQUIRES(mutex_);
  [[nodiscard]] bool compaction_due() const REQUIRES(mutex_);
  [[nodiscard]] bool may_work(std::int64_t retry_at) const REQUIRES(mutex_);
  void make_immutable() REQUIRES(mutex_);
  void after(const Status& status, std::int64_t& retry_at) REQUIRES(mutex_);

  // These must not be called with mutex_ held.
  void write_beside_merge();
  [[nodiscard]] Result<std::shared_ptr<SnapshotFile>> put_in_place(SnapshotFileName numbers,
                                                                   const Result<SnapshotFileName>& written);
  [[nodiscard]] bool has_file(const std::string& name) const;
  void note_damage(const SnapshotFile& file, const std::string& what) const;

  [[nodiscard]] Status in_place() const { return options_.guard == nullptr ? Status{} : options_.guard->look(); }
  [[nodiscard]] Status remove_file(const std::string& name) const;
  [[nodiscard]] Result<SnapshotFileName> write_states(const SnapshotBuffer& states, std::uint64_t number,
                                                      RateLimiter* limiter) const;
  [[nodiscard]] Result<SnapshotFileName> write_deletions(std::span<const std::string> keys, std::uint64_t number) const;
  [[nodiscard]] std::string path(const std::string& name) const { return options_.folder + "/" + name; }
  [[nodiscard]] bool in_background() const { return settings_.write_bytes_per_second > 0; }

  const SnapshotStoreOptions options_;
  const SnapshotSettings& settings_ = options_.settings;
  RateLimiter limiter_;
  mutable Mutex mutex_;
  mutable ConditionVariable changed_;
  SnapshotBuffer newest_ GUARDED_BY(mutex_);
  // Full, to be written. Changed only by whoever has the turn to write, who may therefore read it without the mutex.
  SnapshotBuffer immutable_ GUARDED_BY(mutex_);
  std::int64_t newest_since_ GUARDED_BY(mutex_) = 0;  // monotonic time of its first state
  std::shared_ptr<const SnapshotFiles> files_ GUARDED_BY(mutex_);
  std::uint64_t next_number_ GUARDED_BY(mutex_) = 1;
  bool writing_ GUARDED_BY(mutex_) = false;                // someone has the turn to write the next file
  bool merging_ GUARDED_BY(mutex_) = false;                // someone has the turn to merge files
  std::vector<std::string> leftovers_ GUARDED_BY(mutex_);  // names of files that are superseded, not removed yet
  std::uint64_t renames_ GUARDED_BY(mutex_) = 0;           // of files in this folder
  std::uint64_t renames_synced_ GUARDED_BY(mutex_) = 0;
  std::int64_t write_retry_at_ GUARDED_BY(mutex_) = 0;  // monotonic time
  std::int64_t compaction_retry_at_ GUARDED_BY(mutex_) = 0;
  std::string trouble_ GUARDED_BY(mutex_);
  mutable std::vector<std::string> notes_ GUARDED_BY(mutex_);
  mutable std::uint64_t damaged_files_ GUARDED_BY(mutex_) = 0;
  std::uint64_t refused_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stele
