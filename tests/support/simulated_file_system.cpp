#include "tests/support/simulated_file_system.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/check.h"
#include "tests/support/simulated_disk.h"

namespace stele {
namespace {

using Guard = std::lock_guard<std::mutex>;

constexpr std::uint64_t kPageBytes = 4096;

Error at_offset(Error error, std::uint64_t offset) {
  error.offset = offset;
  return error;
}

Error too_short(const std::string& path, std::uint64_t place) {
  return Error{.kind = ErrorKind::Corrupt, .message = "file is shorter than expected", .file = path, .offset = place};
}

}  // namespace

class SimulatedFileSystem::OpenMapping final : public Mapping {
 public:
  OpenMapping(std::shared_ptr<Disk> disk, Disk::Image image, std::string path, std::uint64_t size, char* writable)
      : disk_(std::move(disk)), image_(std::move(image)), path_(std::move(path)), size_(size), writable_(writable) {
    life_ = disk_->life;
  }

  std::uint64_t size() const override { return size_; }

  Status copy_out(ByteOffset from, std::span<char> to) const override {
    const Guard guard(disk_->mutex);
    if (from.value() > size_ || to.size() > size_ - from.value()) {
      return Error{.kind = ErrorKind::Corrupt,
                   .message = fmt::format("{} bytes lie beyond the mapped {}", to.size(), size_),
                   .file = path_,
                   .offset = from.value()};
    }
    // What is mapped stays in memory when the disk is gone: only ordered failures reach a mapping, and only in its own
    // life.
    if (life_ == disk_->life && !disk_->power_cut) {
      if (const auto failing = disk_->begin(SimulatedCall::Read); failing && !disk_->power_cut) {
        return at_offset(os_error(failing->os_error, "cannot read a mapped page", path_), from.value());
      }
    }
    const std::string& live = image_->live();
    const std::uint64_t pages_end = (live.size() + kPageBytes - 1) / kPageBytes * kPageBytes;
    if (!to.empty() && from.value() + to.size() > pages_end) {
      return at_offset(os_error(EIO, "cannot read a mapped page", path_), from.value());
    }
    std::fill(to.begin(), to.end(), '\0');
    if (from.value() < live.size()) live.copy(to.data(), to.size(), from.value());
    return {};
  }

  char* writable() override { return writable_; }

 private:
  std::shared_ptr<Disk> disk_;
  Disk::Image image_;
  std::string path_;
  std::uint64_t size_;
  char* writable_;
  std::uint64_t life_;
};

class SimulatedFileSystem::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<Disk> disk, Disk::Image image, std::string path, bool writable)
      : disk_(std::move(disk)), image_(std::move(image)), path_(std::move(path)), writable_(writable) {
    life_ = disk_->life;
  }

  ~OpenFile() override {
    const Guard guard(disk_->mutex);
    unlock();
  }

  const std::string& path() const override { return path_; }

  Result<std::uint64_t> size() const override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin(SimulatedCall::Lookup)) return failure(*failing, "cannot read the file's size");
    return image_->size();
  }

  Result<FileInfo> about() const override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin(SimulatedCall::Lookup)) return failure(*failing, "cannot look at the open file");
    return disk_->info_of(image_);
  }

  Status write_at(ByteOffset offset, std::string_view bytes) override {
    const Guard guard(disk_->mutex);
    auto failing = begin_change(SimulatedCall::Write);
    if (failing && !failing->in_part) return at_offset(failure(*failing, "cannot write"), offset.value());
    if (failing && !bytes.empty()) bytes = bytes.substr(0, disk_->chance.below(bytes.size()));
    const std::uint64_t limit = std::max(disk_->growth_limit(*image_), offset.value());
    if (bytes.size() > limit - offset.value()) {
      bytes = bytes.substr(0, limit - offset.value());
      failing = Disk::Failing{ENOSPC, true};
    }
    image_->write(offset.value(), bytes);
    if (failing) return at_offset(failure(*failing, "cannot write"), offset.value() + bytes.size());
    return {};
  }

  Status read_at(ByteOffset offset, std::span<char> to) const override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin(SimulatedCall::Read)) {
      return at_offset(failure(*failing, "cannot read"), offset.value());
    }
    if (to.empty()) return {};
    const std::string& live = image_->live();
    if (offset.value() >= live.size()) return too_short(path_, offset.value());
    const std::size_t copied = live.copy(to.data(), to.size(), offset.value());
    if (copied < to.size()) return too_short(path_, live.size());
    return {};
  }

  Status sync_data() override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin(SimulatedCall::Sync)) {
      if (life_ == disk_->life && !disk_->power_cut && !closed_) image_->fail_sync(disk_->chance);
      return failure(*failing, "cannot sync");
    }
    image_->sync();
    return {};
  }

  Status allocate(std::uint64_t length) override {
    const Guard guard(disk_->mutex);
    auto failing = begin_change(SimulatedCall::Allocate);
    if (failing && failing->os_error != ENOSPC) return failure(*failing, "cannot allocate");
    const std::uint64_t limit = disk_->growth_limit(*image_);
    if (length > limit && !failing) failing = Disk::Failing{ENOSPC, false};
    if (!failing) {
      if (length > image_->size()) image_->resize(length);
      return {};
    }
    const std::uint64_t reachable = std::min(length, limit);
    if (reachable > image_->size() && disk_->chance.below(2) == 0) {
      image_->resize(image_->size() + disk_->chance.below(reachable - image_->size() + 1));
    }
    return failure(*failing, "cannot allocate");
  }

  Status truncate(std::uint64_t length) override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin_change(SimulatedCall::Truncate)) return failure(*failing, "cannot truncate");
    image_->resize(length);
    return {};
  }

  Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin(SimulatedCall::Map)) return failure(*failing, "cannot map");
    return map_shared(length, nullptr);
  }

  Result<std::unique_ptr<Mapping>> map_writable(std::uint64_t length) override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin_change(SimulatedCall::Map)) return failure(*failing, "cannot map");
    if (length > image_->size()) return too_short(path_, image_->size());
    char* const bytes = image_->writable();
    STELE_CHECK(length <= image_->writable_bytes());  // of two writable mappings the first must cover the second
    return map_shared(length, bytes);
  }

  Status lock() override {
    const Guard guard(disk_->mutex);
    if (const auto failing = begin(SimulatedCall::Lock)) return failure(*failing, "cannot lock (flock)");
    if (locked_) return {};
    if (!disk_->locked_files.insert(image_.get()).second) {
      return Error{.kind = ErrorKind::Locked, .message = "in use by another process", .file = path_};
    }
    locked_ = true;
    return {};
  }

  Status rename(const std::string& to) override {
    const Guard guard(disk_->mutex);
    if (life_ != disk_->life) return os_error(EIO, "cannot rename", path_);
    STELE_TRY(disk_->rename(path_, to));
    path_ = to;
    return {};
  }

  Status close() override {
    const Guard guard(disk_->mutex);
    unlock();
    if (std::exchange(closed_, true)) return {};
    if (life_ != disk_->life) return {};
    if (const auto failing = disk_->begin(SimulatedCall::Close)) return failure(*failing, "cannot close");
    return {};
  }

 private:
  void unlock() {
    if (std::exchange(locked_, false) && life_ == disk_->life) disk_->locked_files.erase(image_.get());
  }

  std::optional<Disk::Failing> begin(SimulatedCall call) const {
    if (life_ != disk_->life) return Disk::Failing{EIO, false};
    if (closed_) return Disk::Failing{EBADF, false};
    return disk_->begin(call);
  }

  std::optional<Disk::Failing> begin_change(SimulatedCall call) const {
    const auto failing = begin(call);
    return failing || writable_ ? failing : Disk::Failing{EBADF, false};
  }

  Error failure(const Disk::Failing& failing, const char* what) const {
    return os_error(failing.os_error, what, path_);
  }

  Result<std::unique_ptr<Mapping>> map_shared(std::uint64_t length, char* writable) const {
    if (length > image_->size()) return too_short(path_, image_->size());
    return std::unique_ptr<Mapping>(std::make_unique<OpenMapping>(disk_, image_, path_, length, writable));
  }

  std::shared_ptr<Disk> disk_;
  Disk::Image image_;
  std::string path_;
  bool writable_;
  bool closed_ = false;
  bool locked_ = false;
  std::uint64_t life_;
};

class SimulatedFileSystem::HeldLock final : public FolderLock {
 public:
  HeldLock(Held held, std::shared_ptr<Disk> disk, std::string path)
      : FolderLock(std::move(held)), disk_(std::move(disk)), path_(std::move(path)) {
    life_ = disk_->life;
  }
  ~HeldLock() override {
    const Guard guard(disk_->mutex);
    if (life_ == disk_->life) disk_->locks.erase(path_);
  }

 private:
  std::shared_ptr<Disk> disk_;
  std::string path_;
  std::uint64_t life_;
};

SimulatedFileSystem::SimulatedFileSystem(std::uint64_t seed) : disk_(std::make_shared<Disk>(seed)) {}
SimulatedFileSystem::~SimulatedFileSystem() = default;

Result<std::unique_ptr<File>> SimulatedFileSystem::open(const std::string& path, OpenMode mode) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::Open)) return os_error(failing->os_error, "cannot open", path);
  const std::string name = Disk::normal(path);
  const auto found = disk_->live.find(name);
  const bool exists = found != disk_->live.end();
  if (exists && (mode == OpenMode::CreateNew || mode == OpenMode::CreatePrivate))
    return os_error(EEXIST, "cannot create", path);
  if (exists && !found->second) return os_error(EISDIR, "cannot open", path);
  if (!exists) {
    if (mode == OpenMode::Read || mode == OpenMode::ReadWrite) return os_error(ENOENT, "cannot open", path);
    const auto folder = disk_->live.find(Disk::parent(name));
    if (folder == disk_->live.end()) return os_error(ENOENT, "cannot create", path);
    if (folder->second) return os_error(ENOTDIR, "cannot create", path);
    disk_->add(name, std::make_shared<SimulatedImage>());
  }
  return std::unique_ptr<File>(std::make_unique<OpenFile>(disk_, disk_->live.at(name), path, mode != OpenMode::Read));
}

Result<bool> SimulatedFileSystem::exists(const std::string& path) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::Lookup)) {
    return os_error(failing->os_error, "cannot look up", path);
  }
  return disk_->live.contains(Disk::normal(path));
}

Result<std::vector<std::string>> SimulatedFileSystem::list(const std::string& folder) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::Lookup)) {
    return os_error(failing->os_error, "cannot list", folder);
  }
  const std::string name = Disk::normal(folder);
  const auto found = disk_->live.find(name);
  if (found == disk_->live.end()) return os_error(ENOENT, "cannot list", folder);
  if (found->second) return os_error(ENOTDIR, "cannot list", folder);
  std::vector<std::string> names;
  for (const auto& [path, image] : disk_->live) {
    if (path != "/" && path != "." && Disk::parent(path) == name) names.push_back(path.substr(path.rfind('/') + 1));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status SimulatedFileSystem::create_folders(const std::string& folder) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::CreateFolders)) {
    return os_error(failing->os_error, "cannot create the folder", folder);
  }
  const std::string whole = Disk::normal(folder);
  if (whole.empty()) return os_error(ENOENT, "cannot create the folder", folder);
  for (std::size_t end = 0; end < whole.size();) {
    end = std::min(whole.find('/', end + 1), whole.size());
    const std::string path = whole.substr(0, end);
    const auto found = disk_->live.find(path);
    if (found != disk_->live.end()) {
      if (found->second) return os_error(ENOTDIR, "a file lies where a folder should be", path);
      continue;
    }
    disk_->add(path, nullptr);
    disk_->sync_directory(Disk::parent(path));
  }
  return {};
}

Status SimulatedFileSystem::create_private_folder(const std::string& folder) { return create_folders(folder); }

Result<FileInfo> SimulatedFileSystem::look_at(const std::string& path) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::Lookup)) {
    return os_error(failing->os_error, "cannot look up", path);
  }
  const auto found = disk_->live.find(Disk::normal(path));
  if (found == disk_->live.end()) return os_error(ENOENT, "cannot look up", path);
  return disk_->info_of(found->second);
}

Status SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  const Guard guard(disk_->mutex);
  return disk_->rename(from, to);
}

Status SimulatedFileSystem::remove(const std::string& path) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::Remove)) {
    return os_error(failing->os_error, "cannot remove", path);
  }
  const auto found = disk_->live.find(Disk::normal(path));
  if (found == disk_->live.end()) return os_error(ENOENT, "cannot remove", path);
  if (!found->second) return os_error(EISDIR, "cannot remove", path);
  disk_->remove(Disk::normal(path));
  return {};
}

Status SimulatedFileSystem::sync_directory(const std::string& folder) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::SyncDirectory)) {
    return os_error(failing->os_error, "cannot sync the folder", folder);
  }
  const auto found = disk_->live.find(Disk::normal(folder));
  if (found == disk_->live.end()) return os_error(ENOENT, "cannot open the folder", folder);
  if (found->second) return os_error(ENOTDIR, "cannot open the folder", folder);
  disk_->sync_directory(Disk::normal(folder));
  return {};
}

Status SimulatedFileSystem::remove_folder(const std::string& path) {
  return Error{.kind = ErrorKind::Unsupported, .message = "folders cannot be removed here", .file = path};
}

Result<bool> SimulatedFileSystem::is_locked(const std::string& path) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::Lookup)) {
    return os_error(failing->os_error, "cannot ask who holds the lock", path);
  }
  return disk_->locks.contains(Disk::normal(path));
}

Result<std::unique_ptr<FolderLock>> SimulatedFileSystem::lock(const std::string& path) {
  const Guard guard(disk_->mutex);
  if (const auto failing = disk_->begin(SimulatedCall::Lock)) return os_error(failing->os_error, "cannot lock", path);
  const std::string name = Disk::normal(path);
  const std::string pid = std::to_string(::getpid());
  if (!disk_->live.contains(Disk::parent(name))) return os_error(ENOENT, "cannot open the lock file", path);
  if (disk_->locks.contains(name)) {
    return Error{.kind = ErrorKind::Locked, .message = "the folder is in use by process " + pid, .file = path};
  }
  if (!disk_->live.contains(name)) disk_->add(name, std::make_shared<SimulatedImage>());
  const Disk::Image image = disk_->live.at(name);
  if (!image) return os_error(EISDIR, "cannot open the lock file", path);
  image->resize(0);
  if (disk_->growth_limit(*image) > pid.size()) image->write(0, pid + "\n");
  disk_->locks.insert(name);
  FolderLock::Held held{.folder = disk_->info_of(nullptr), .lock_file = disk_->info_of(image), .weakness = {}};
  return std::unique_ptr<FolderLock>(std::make_unique<HeldLock>(std::move(held), disk_, name));
}

void SimulatedFileSystem::crash() {
  const Guard guard(disk_->mutex);
  disk_->crash();
}

void SimulatedFileSystem::kill() {
  const Guard guard(disk_->mutex);
  disk_->kill();
}

void SimulatedFileSystem::cut_power() {
  const Guard guard(disk_->mutex);
  disk_->power_cut = true;
}

void SimulatedFileSystem::cut_power_at_call(std::uint64_t n) {
  STELE_CHECK(n > 0);
  const Guard guard(disk_->mutex);
  disk_->calls_to_power_cut = n;
}

bool SimulatedFileSystem::power_is_cut() const {
  const Guard guard(disk_->mutex);
  return disk_->power_cut;
}

void SimulatedFileSystem::fail_call(SimulatedCall call, std::uint64_t n, SimulatedFailure how) {
  STELE_CHECK(n > 0);
  const Guard guard(disk_->mutex);
  disk_->fail_once.push_back({call, n, how});
}

void SimulatedFileSystem::fail_with_probability(SimulatedCall call, double probability, SimulatedFailure how) {
  const Guard guard(disk_->mutex);
  disk_->fail_often.push_back({call, probability, how});
}

void SimulatedFileSystem::stop_failing() {
  const Guard guard(disk_->mutex);
  disk_->fail_once.clear();
  disk_->fail_often.clear();
}

void SimulatedFileSystem::set_capacity(std::optional<std::uint64_t> bytes) {
  const Guard guard(disk_->mutex);
  disk_->capacity = bytes;
}

std::uint64_t SimulatedFileSystem::calls(SimulatedCall call) const {
  const Guard guard(disk_->mutex);
  return disk_->counts[static_cast<std::size_t>(call)];
}

std::uint64_t SimulatedFileSystem::calls() const {
  const Guard guard(disk_->mutex);
  std::uint64_t sum = 0;
  for (const std::uint64_t count : disk_->counts) sum += count;
  return sum;
}

std::uint64_t SimulatedFileSystem::used_bytes() const {
  const Guard guard(disk_->mutex);
  return disk_->used_bytes();
}

std::optional<std::string> SimulatedFileSystem::live_contents(const std::string& path) const {
  const Guard guard(disk_->mutex);
  const auto found = disk_->live.find(Disk::normal(path));
  if (found == disk_->live.end() || !found->second) return std::nullopt;
  return found->second->live();
}

std::optional<std::string> SimulatedFileSystem::durable_contents(const std::string& path) const {
  const Guard guard(disk_->mutex);
  const auto found = disk_->durable.find(Disk::normal(path));
  if (found == disk_->durable.end() || !found->second) return std::nullopt;
  return found->second->durable();
}

}  // namespace stele
