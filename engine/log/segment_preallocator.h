#pragma once
// Makes segment files before they are needed: blocks reserved, header written, zero-filled, synced. A group written
// into zero-filled blocks needs no metadata journalling, which is most of the cost of an fdatasync.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "engine/base/clock.h"
#include "engine/base/file_system.h"
#include "engine/base/mutex.h"
#include "engine/log/frame.h"
#include "engine/log/log_guard.h"

namespace stele {

struct PreallocatorOptions {
  FileSystem* file_system;
  const Clock* clock;
  std::string folder;  ///< the log folder
  Uuid store_id;
  std::uint64_t segment_bytes;
  /// Fill rate of the background thread; 0 = no thread, every segment is made when it is asked for.
  std::uint64_t fill_bytes_per_second;
  /// Asked before anything in the folder is made or removed; none: nobody else is expected there.
  LogGuard* guard = nullptr;
};

/// Creates `<id>.prepared` with its blocks reserved and its header synced; zero-filled to its end as well if `fill`.
/// Whatever fails, the file is removed again.
[[nodiscard]] Result<std::unique_ptr<File>> create_segment(const PreallocatorOptions& options, SegmentId id, bool fill);

/// One thread of its own; take() is for the committer's.
class SegmentPreallocator {
 public:
  explicit SegmentPreallocator(PreallocatorOptions options);
  ~SegmentPreallocator();
  SegmentPreallocator(const SegmentPreallocator&) = delete;

  /// Gives up what is being prepared and removes what is ready. Idempotent; the folder must still be locked.
  void stop();

  /// Begins to prepare `next` in the background, replacing an earlier wish.
  void want(SegmentId next);
  /// The file of segment `id`, still under its prepared name: the one made ahead, or else made now: without filling,
  /// which does not wait for the filler and is counted, or filled if `fill`. DiskFull or Io leave nothing behind, and
  /// the next call tries again.
  [[nodiscard]] Result<std::unique_ptr<File>> take(SegmentId id, bool fill);

  /// Takes back what take() gave and was not used, for the next take().
  void give_back(SegmentId id, std::unique_ptr<File> file);

  /// True if a segment is ready to be taken.
  [[nodiscard]] bool ready() const;
  [[nodiscard]] std::uint64_t unprepared() const;
  /// Why the background thread could not prepare a segment, empty if it could.
  [[nodiscard]] std::string trouble() const;

 private:
  void run();
  /// Sleeps until `time`; true if what is being made is not wanted any more.
  [[nodiscard]] bool given_up_before(std::chrono::steady_clock::time_point time);
  [[nodiscard]] Status fill_throttled(File& file);
  void remove_prepared(SegmentId id);

  const PreallocatorOptions options_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::optional<SegmentId> wanted_ GUARDED_BY(mutex_);
  std::optional<SegmentId> working_ GUARDED_BY(mutex_);
  std::unique_ptr<File> ready_ GUARDED_BY(mutex_);
  SegmentId ready_id_ GUARDED_BY(mutex_);
  std::string trouble_ GUARDED_BY(mutex_);
  std::uint64_t unprepared_ GUARDED_BY(mutex_) = 0;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stele
