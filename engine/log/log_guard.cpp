#include "engine/log/log_guard.h"

#include <sys/prctl.h>

#include <cerrno>
#include <utility>

namespace stele {
namespace {

constexpr std::size_t kSegmentAt = 2;

/// That nothing has the name, rather than that it could not be looked up.
bool names_nothing(const Error& error) {
  return error.kind == ErrorKind::NotFound || error.os_error == ENOTDIR || error.os_error == ESTALE;
}

}  // namespace

Error LogGuard::overwritten(const std::string& path) {
  return Error{
      .kind = ErrorKind::Displaced, .message = "the active segment was written over while it was in use", .file = path};
}

LogGuard::LogGuard(FileSystem& file_system, const std::string& folder, const std::string& lock_file,
                   const FolderLock::Held& held)
    : file_system_(file_system),
      watched_{{"the data folder", folder, held.folder}, {"the lock file", lock_file, held.lock_file}} {}

LogGuard::~LogGuard() { stop(); }

void LogGuard::watch_segment(const std::string& path, const FileInfo& info) {
  const MutexLock lock(mutex_);
  watched_.resize(kSegmentAt);
  watched_.push_back({"the active segment", path, info});
  group_head_.clear();
}

void LogGuard::watch_group(ByteOffset at, std::string_view head) {
  const MutexLock lock(mutex_);
  group_at_ = at;
  group_head_ = head;
}

Status LogGuard::look() {
  std::vector<Watched> watched;
  {
    const MutexLock lock(mutex_);
    if (displaced_) return *displaced_;
    watched = watched_;
  }
  Status seen = look_at(watched);
  if (seen || seen.error().kind != ErrorKind::Displaced) return seen;
  // A folder that went after it was looked at took the others along: it is what is to be told.
  Status again = look_at(watched);
  if (!again && again.error().kind == ErrorKind::Displaced) seen = std::move(again);
  const MutexLock lock(mutex_);
  displaced_ = seen.error();
  return seen;
}

Status LogGuard::look_at(const std::vector<Watched>& watched) const {
  Status status;
  for (const Watched& each : watched) {
    const auto now = file_system_.look_at(each.path);
    if (now && now->is_same_file(each.info)) continue;
    if (!now && !names_nothing(now.error())) {
      status = now.error();
      continue;
    }
    const char* const how =
        now ? " was replaced while it was in use" : " was removed or moved away while it was in use";
    return Error{.kind = ErrorKind::Displaced, .message = each.what + std::string(how), .file = each.path};
  }
  return status;
}

Status LogGuard::look_at_group() {
  std::string path, head;
  ByteOffset at;
  {
    const MutexLock lock(mutex_);
    if (group_head_.empty()) return {};
    path = watched_.back().path;
    head = group_head_;
    at = group_at_;
  }
  // What cannot be opened or read is told by whoever must.
  const auto file = file_system_.open(path, OpenMode::Read);
  if (!file) return {};
  std::string found(head.size(), 0);
  const Status read = (*file)->read_at(at, found);
  if (read ? found == head : read.error().kind != ErrorKind::Corrupt) return {};
  const MutexLock lock(mutex_);
  // A segment that is not the active one any more may be written anew.
  if (group_head_.empty() || watched_.back().path != path) return {};
  if (!displaced_) displaced_ = overwritten(path);
  return *displaced_;
}

void LogGuard::start(std::chrono::milliseconds interval, std::function<void(const Error&)> on_displaced) {
  thread_.start(interval, [this, on_displaced = std::move(on_displaced), is_named = false]() mutable {
    if (!std::exchange(is_named, true)) (void)prctl(PR_SET_NAME, "log guard", 0UL, 0UL, 0UL);
    Status seen = look();
    if (seen) seen = look_at_group();
    if (!seen && seen.error().kind == ErrorKind::Displaced) {
      on_displaced(seen.error());
      return false;
    }
    const MutexLock lock(mutex_);
    trouble_ =
        seen ? std::string() : "cannot tell whether the data folder is still in its place: " + seen.error().describe();
    return true;
  });
}

void LogGuard::stop() { thread_.stop(); }

std::string LogGuard::trouble() const {
  const MutexLock lock(mutex_);
  return trouble_;
}

}  // namespace stele
