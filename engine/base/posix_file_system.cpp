#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <utility>

#include "engine/base/file_system.h"
#include "engine/base/guarded_copy.h"

namespace stele {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kFolderMode = 0750;
constexpr mode_t kPrivateFileMode = 0600;
constexpr mode_t kPrivateFolderMode = 0700;

/// Runs a system call again for as long as a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

Error failure(const char* what, const std::string& path) { return os_error(errno, what, path); }

Error failure_at(const char* what, const std::string& path, std::uint64_t offset) {
  Error error = os_error(errno, what, path);
  error.offset = offset;
  return error;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Owns a descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  /// Linux frees the descriptor whatever close() says, so a failure (EINTR among them) is reported and never repeated.
  [[nodiscard]] bool close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0;
  }

 private:
  int fd_ = -1;
};

/// Below are what a process is started with: whatever gets these numbers is written to by those who mean stderr.
constexpr int kLeastDescriptor = STDERR_FILENO + 1;

/// open(2), without the standard descriptors even where those are closed; negative with errno if it fails.
Descriptor open_descriptor(const std::string& path, int flags, mode_t permissions = 0) {
  Descriptor fd(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, permissions); }));
  if (fd.get() < 0 || fd.get() >= kLeastDescriptor) return fd;
  return Descriptor(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kLeastDescriptor));
}

FileInfo info_from(const struct stat& about) {
  return FileInfo{.permissions = static_cast<std::uint32_t>(about.st_mode & 0777),
                  .device = about.st_dev,
                  .id = about.st_ino,
                  .links = about.st_nlink,
                  .size = static_cast<std::uint64_t>(about.st_size),
                  .changed_ns = about.st_ctim.tv_sec * 1'000'000'000 + about.st_ctim.tv_nsec};
}

/// Without changed_ns. Whoever asks Linux for a file's times (fstat does) makes its next write take a time of its own
/// instead of that of the latest tick, and with it a change of the inode (multigrain timestamps, since 6.13): some 25
/// us for each group of the log.
Result<FileInfo> info_of(int fd, const std::string& path) {
  struct statx about {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_MODE | STATX_INO | STATX_NLINK | STATX_SIZE, &about) != 0) {
    return failure("cannot look at the open file", path);
  }
  return FileInfo{.permissions = static_cast<std::uint32_t>(about.stx_mode & 0777),
                  .device = makedev(about.stx_dev_major, about.stx_dev_minor),
                  .id = about.stx_ino,
                  .links = about.stx_nlink,
                  .size = about.stx_size};
}

Status lock_whole(int fd, const std::string& path) {
  if (uninterrupted([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0) return {};
  Error error = failure("cannot lock (flock)", path);
  switch (error.os_error) {
    case EWOULDBLOCK:
      return Error{.kind = ErrorKind::Locked, .message = "in use by another process", .file = path};
    case EBADF:  // NFS, of what is not open for writing, as a folder never is
    case EINVAL:
    case ENOLCK:
    case ENOSYS:
    case EOPNOTSUPP:
      error.kind = ErrorKind::Unsupported;
      break;
    default:
      break;
  }
  return error;
}

class PosixMapping final : public Mapping {
 public:
  PosixMapping(char* bytes, std::uint64_t size, bool writable, std::string path)
      : bytes_(bytes), size_(size), writable_(writable), path_(std::move(path)) {}
  PosixMapping(const PosixMapping&) = delete;
  PosixMapping& operator=(const PosixMapping&) = delete;
  ~PosixMapping() override {
    if (size_ > 0) ::munmap(bytes_, size_);
  }

  std::uint64_t size() const override { return size_; }

  Status copy_out(ByteOffset from, std::span<char> to) const override {
    if (from.value() > size_ || to.size() > size_ - from.value()) {
      return Error{.kind = ErrorKind::Corrupt,
                   .message = fmt::format("{} bytes lie beyond the mapped {}", to.size(), size_),
                   .file = path_,
                   .offset = from.value()};
    }
    if (!guarded_copy(to.data(), bytes_ + from.value(), to.size())) {
      errno = EIO;
      return failure_at("cannot read a mapped page", path_, from.value());
    }
    return {};
  }

  void prefetch(ByteOffset from, std::size_t size) const override {
    constexpr std::uint64_t kLineBytes = 64;
    const std::uint64_t end = std::min(size_, from.value() + size);
    for (std::uint64_t at = from.value(); at < end; at += kLineBytes) __builtin_prefetch(bytes_ + at);
  }

  void read_ahead(ByteOffset from, std::size_t size) const override {
    constexpr std::uint64_t kPageBytes = 4096;
    const std::uint64_t begin = from.value() / kPageBytes * kPageBytes;
    const std::uint64_t end = std::min(size_, from.value() + size);
    if (begin < end) (void)::madvise(bytes_ + begin, end - begin, MADV_WILLNEED);
  }

  bool is_resident(ByteOffset from, std::size_t size) const override {
    constexpr std::uint64_t kPageBytes = 4096;
    constexpr std::size_t kPagesAtOnce = 64;
    std::uint64_t at = from.value() / kPageBytes * kPageBytes;
    const std::uint64_t end = std::min(size_, from.value() + size);
    while (at < end) {
      unsigned char in_memory[kPagesAtOnce];
      const std::uint64_t bytes = std::min<std::uint64_t>(end - at, kPagesAtOnce * kPageBytes);
      // A kernel that does not want to tell is taken to have it.
      if (::mincore(bytes_ + at, bytes, in_memory) != 0) return true;
      const std::size_t pages = (bytes + kPageBytes - 1) / kPageBytes;
      if (!std::all_of(in_memory, in_memory + pages, [](unsigned char page) { return (page & 1) != 0; })) return false;
      at += bytes;
    }
    return true;
  }

  char* writable() override { return writable_ ? bytes_ : nullptr; }

 private:
  char* bytes_;
  std::uint64_t size_;
  bool writable_;
  std::string path_;
};

Status rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failure("cannot rename", from);
  return {};
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override { unlock(); }

  const std::string& path() const override { return path_; }

  Result<std::uint64_t> size() const override {
    STELE_ASSIGN(const FileInfo info, about());
    return info.size;
  }

  Result<FileInfo> about() const override { return info_of(fd_.get(), path_); }

  Status write_at(ByteOffset offset, std::string_view bytes) override {
    std::uint64_t place = offset.value();
    while (!bytes.empty()) {
      const auto n =
          uninterrupted([&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(place)); });
      if (n <= 0) {
        if (n == 0) errno = EIO;  // never seen for a regular file; going on would be an endless loop
        return failure_at("cannot write", path_, place);
      }
      bytes.remove_prefix(static_cast<std::size_t>(n));
      place += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Status read_at(ByteOffset offset, std::span<char> to) const override {
    std::uint64_t place = offset.value();
    while (!to.empty()) {
      const auto n = uninterrupted([&] { return ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(place)); });
      if (n < 0) return failure_at("cannot read", path_, place);
      if (n == 0) return too_short(place);
      to = to.subspan(static_cast<std::size_t>(n));
      place += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Status sync_data() override {
    // Not repeated even after EINTR: what a failed call has already dropped, the next one would not report.
    if (::fdatasync(fd_.get()) != 0) return failure("cannot sync", path_);
    return {};
  }

  Status allocate(std::uint64_t length) override {
    if (length == 0) return {};
    int code = EINTR;
    while (code == EINTR) code = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(length));
    if (code != 0) return os_error(code, fmt::format("cannot allocate {} bytes", length), path_);
    return {};
  }

  Status truncate(std::uint64_t length) override {
    if (uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(length)); }) != 0) {
      return failure("cannot truncate", path_);
    }
    return {};
  }

  Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override { return map_shared(length, false); }

  Result<std::unique_ptr<Mapping>> map_writable(std::uint64_t length) override { return map_shared(length, true); }

  Status lock() override {
    STELE_TRY(lock_whole(fd_.get(), path_));
    locked_ = true;
    return {};
  }

  Status rename(const std::string& to) override {
    STELE_TRY(rename_path(path_, to));
    path_ = to;
    return {};
  }

  Status close() override {
    unlock();
    if (!fd_.close()) return failure("cannot close", path_);
    return {};
  }

 private:
  /// A mapping keeps the open file description, and with it the lock, beyond the descriptor.
  void unlock() {
    if (std::exchange(locked_, false)) (void)::flock(fd_.get(), LOCK_UN);
  }

  Error too_short(std::uint64_t place) const {
    return Error{
        .kind = ErrorKind::Corrupt, .message = "file is shorter than expected", .file = path_, .offset = place};
  }

  Result<std::unique_ptr<Mapping>> map_shared(std::uint64_t length, bool writable) const {
    STELE_ASSIGN(const std::uint64_t file_size, size());
    if (length > file_size) return too_short(file_size);
    char* bytes = nullptr;
    if (length > 0) {
      const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
      void* const place = ::mmap(nullptr, length, protection, MAP_SHARED, fd_.get(), 0);
      if (place == MAP_FAILED) return failure("cannot map", path_);
      bytes = static_cast<char*>(place);
    }
    return std::unique_ptr<Mapping>(std::make_unique<PosixMapping>(bytes, length, writable, path_));
  }

  Descriptor fd_;
  std::string path_;
  bool locked_ = false;
};

/// Owns the locks: they belong to the open file descriptions, so that a second open in the same process is refused too,
/// and go with the process however that ends.
class PosixFolderLock final : public FolderLock {
 public:
  PosixFolderLock(Held held, Descriptor folder, Descriptor file)
      : FolderLock(std::move(held)), folder_(std::move(folder)), file_(std::move(file)) {}
  ~PosixFolderLock() override {
    // So that the next holder's file never names this process. The file itself stays: removing it would let two
    // processes lock two files of the same name.
    static_cast<void>(!::ftruncate(file_.get(), 0));
  }

 private:
  Descriptor folder_;
  Descriptor file_;
};

/// Whether the kernel's list of locks shows a flock of that file or folder. An flock cannot be asked for, only tried,
/// and a try might refuse one who means to have it. The list is for people: it leaves out holders in other process id
/// namespaces, and some file systems (btrfs) go by other device numbers there. So only a yes means anything.
bool is_listed_as_locked(const struct stat& about) {
  const Descriptor fd = open_descriptor("/proc/locks", O_RDONLY);
  if (fd.get() < 0) return false;
  std::string list;
  char piece[4096];
  for (;;) {
    const auto n = uninterrupted([&] { return ::read(fd.get(), piece, sizeof piece); });
    if (n <= 0) break;
    list.append(piece, static_cast<std::size_t>(n));
  }
  const std::string file = fmt::format(" {:02x}:{:02x}:{} ", major(about.st_dev), minor(about.st_dev), about.st_ino);
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find('\n', begin), list.size());
    const std::string_view line = std::string_view(list).substr(begin, end - begin);
    if (line.find(": FLOCK ") != std::string_view::npos && line.find(file) != std::string_view::npos) return true;
    begin = end + 1;
  }
  return false;
}

/// `path`: the lock file, in which the holder has written its process id.
Error locked_error(const std::string& path) {
  const Descriptor fd = open_descriptor(path, O_RDONLY);
  char text[24];
  const auto n = uninterrupted([&] { return ::pread(fd.get(), text, sizeof text, 0); });
  long pid = 0;
  if (n > 0) std::from_chars(text, text + n, pid);
  const std::string holder = pid > 0 ? fmt::format("process {}", pid) : std::string("another process");
  return Error{.kind = ErrorKind::Locked, .message = fmt::format("the folder is in use by {}", holder), .file = path};
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = 0;
    switch (mode) {
      case OpenMode::Read:
        flags |= O_RDONLY;
        break;
      case OpenMode::ReadWrite:
        flags |= O_RDWR;
        break;
      case OpenMode::CreateNew:
      case OpenMode::CreatePrivate:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        break;
      case OpenMode::OpenOrCreate:
        flags |= O_RDWR | O_CREAT;
        break;
    }
    const bool is_private = mode == OpenMode::CreatePrivate;
    const mode_t permissions = is_private ? kPrivateFileMode : kFileMode;
    Descriptor fd = open_descriptor(path, flags, permissions);
    if (fd.get() < 0) return failure(is_private || mode == OpenMode::CreateNew ? "cannot create" : "cannot open", path);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
  }

  Result<bool> exists(const std::string& path) override {
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return failure("cannot look up", path);
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    Descriptor fd = open_descriptor(folder, O_RDONLY | O_DIRECTORY);
    if (fd.get() < 0) return failure("cannot list", folder);
    const std::unique_ptr<DIR, int (*)(DIR*)> open_folder(::fdopendir(fd.get()), ::closedir);
    if (!open_folder) return failure("cannot list", folder);
    (void)fd.release();
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* const entry = ::readdir(open_folder.get());
      if (entry == nullptr) break;
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return failure("cannot list", folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status create_folders(const std::string& folder) override { return create(folder, kFolderMode); }

  Status create_private_folder(const std::string& folder) override { return create(folder, kPrivateFolderMode); }

  Result<FileInfo> look_at(const std::string& path) override {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return failure("cannot look up", path);
    return info_from(about);
  }

  Status rename(const std::string& from, const std::string& to) override { return rename_path(from, to); }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failure("cannot remove", path);
    return {};
  }

  Status remove_folder(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return failure("cannot remove the folder", path);
    return {};
  }

  Status sync_directory(const std::string& folder) override { return sync(folder); }

  Result<bool> is_locked(const std::string& path) override {
    const Descriptor fd = open_descriptor(path, O_RDONLY);
    if (fd.get() >= 0) {
      struct flock whole {};
      whole.l_type = F_RDLCK;
      whole.l_whence = SEEK_SET;
      if (::fcntl(fd.get(), F_OFD_GETLK, &whole) != 0) return failure("cannot ask who holds the lock", path);
      if (whole.l_type != F_UNLCK) return true;
    } else if (errno != ENOENT) {
      return failure("cannot open the lock file", path);
    }
    // The lock file may have been removed or replaced under its holder, who has the folder itself as well.
    struct stat about {};
    if (::stat(parent_of(path).c_str(), &about) != 0) {
      if (errno == ENOENT) return false;
      return failure("cannot look up", parent_of(path));
    }
    return is_listed_as_locked(about);
  }

  Result<std::unique_ptr<FolderLock>> lock(const std::string& path) override {
    // The folder first, so that one who is refused has made no lock file.
    const std::string folder_path = parent_of(path);
    Descriptor folder = open_descriptor(folder_path, O_RDONLY | O_DIRECTORY);
    if (folder.get() < 0) return failure("cannot open the folder", folder_path);
    FolderLock::Held held;
    STELE_ASSIGN(held.folder, info_of(folder.get(), folder_path));
    if (const Status locked = lock_whole(folder.get(), folder_path); !locked) {
      if (locked.error().kind == ErrorKind::Locked) return locked_error(path);
      if (locked.error().kind != ErrorKind::Unsupported) return locked.error();
      held.weakness = locked.error().describe();
    }
    Descriptor fd = open_descriptor(path, O_RDWR | O_CREAT, kFileMode);
    if (fd.get() < 0) return failure("cannot open the lock file", path);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (uninterrupted([&] { return ::fcntl(fd.get(), F_OFD_SETLK, &whole); }) != 0) {
      if (errno == EAGAIN || errno == EACCES) return locked_error(path);
      return failure("cannot lock", path);
    }
    STELE_ASSIGN(held.lock_file, info_of(fd.get(), path));
    // The process id only serves the other one's message: a full disk, for one, is no reason to refuse a reader the
    // folder.
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd.get(), 0) == 0) static_cast<void>(::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0);
    return std::unique_ptr<FolderLock>(
        std::make_unique<PosixFolderLock>(std::move(held), std::move(folder), std::move(fd)));
  }

 private:
  static Status create(const std::string& folder, mode_t last_mode) {
    std::size_t end = 0;
    while (end < folder.size()) {
      end = std::min(folder.find('/', end + 1), folder.size());
      const std::string path = folder.substr(0, end);
      if (::mkdir(path.c_str(), end == folder.size() ? last_mode : kFolderMode) == 0) {
        STELE_TRY(sync(parent_of(path)));
      } else if (errno != EEXIST) {
        const int code = errno;
        struct stat about {};
        // A parent on a read-only file system or without write permission may already be there, which is all that is
        // asked.
        if (::stat(path.c_str(), &about) != 0) return os_error(code, "cannot create the folder", path);
      }
    }
    struct stat about {};
    if (::stat(folder.c_str(), &about) != 0) return failure("cannot look up", folder);
    if (!S_ISDIR(about.st_mode)) return os_error(ENOTDIR, "a file lies where a folder should be", folder);
    return {};
  }

  static Status sync(const std::string& folder) {
    const Descriptor fd = open_descriptor(folder, O_RDONLY | O_DIRECTORY);
    if (fd.get() < 0) return failure("cannot open the folder", folder);
    if (::fsync(fd.get()) != 0) return failure("cannot sync the folder", folder);
    return {};
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem file_system;
  return file_system;
}

}  // namespace stele
