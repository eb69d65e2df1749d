#pragma once
// Whether a running store still writes to what its paths name. Somebody may remove the lock file, move the folder away,
// restore another one over it or mount something there: what is appended then is lost for whoever opens the folder
// next.

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/interval_thread.h"
#include "engine/base/mutex.h"

namespace stele {

/// Thread-safe, except start() and stop(). A look costs a system call for each of folder, lock file and active segment;
/// that of its own thread also reads the head of the last group, which is not there any more if somebody wrote over the
/// file in place, as cp(1) does.
class LogGuard {
 public:
  LogGuard(FileSystem& file_system, const std::string& folder, const std::string& lock_file,
           const FolderLock::Held& held);
  ~LogGuard();
  LogGuard(const LogGuard&) = delete;

  /// The segment that groups go to from now on.
  void watch_segment(const std::string& path, const FileInfo& info);
  /// That of a segment that does not have any more what was written to it.
  [[nodiscard]] static Error overwritten(const std::string& path);
  /// What was written last to that segment: bytes that are to stay there.
  void watch_group(ByteOffset at, std::string_view head);

  /// Displaced, then and ever after, if a path names something else than what is in use, or nothing any more. Other
  /// errors: that could not be told.
  [[nodiscard]] Status look();

  /// Looks once an interval on a thread of its own; `on_displaced` is called there, at most once.
  void start(std::chrono::milliseconds interval, std::function<void(const Error&)> on_displaced);
  void stop();

  /// Why the latest look of that thread could not tell; empty if it could.
  [[nodiscard]] std::string trouble() const;

 private:
  struct Watched {
    const char* what;
    std::string path;
    FileInfo info;
  };
  /// Displaced: the first that is not in its place.
  [[nodiscard]] Status look_at(const std::vector<Watched>& watched) const;
  /// Displaced, then and ever after, if the last group is not where it was written.
  [[nodiscard]] Status look_at_group();

  FileSystem& file_system_;
  mutable Mutex mutex_;
  std::vector<Watched> watched_ GUARDED_BY(mutex_);  // the active segment last, once there is one
  ByteOffset group_at_ GUARDED_BY(mutex_);
  std::string group_head_ GUARDED_BY(mutex_);  // empty: nothing was written to the active segment yet
  std::optional<Error> displaced_ GUARDED_BY(mutex_);
  std::string trouble_ GUARDED_BY(mutex_);
  IntervalThread thread_;  // last: it uses all of the above
};

}  // namespace stele
