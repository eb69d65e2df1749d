#pragma once
// The seam between the engine and the disk. Two implementations: PosixFileSystem and SimulatedFileSystem
// (tests/support/simulated_file_system.h), which drops, tears and reorders what was not synced. The engine calls the
// operating system for files nowhere else.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele {

/// Whether a call may wait for a disk to bring what is not in memory. Never: it fails with WouldWait instead, as far as
/// that can be told beforehand.
enum class DiskWait { Allowed, Never };

/// A read-only or shared writable mapping of the first `size()` bytes of a file. Movable through the unique_ptr, any
/// thread may read.
class Mapping {
 public:
  virtual ~Mapping() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Copies bytes out. A page that cannot be read (SIGBUS: the file shrank, or the device gave EIO) is an Io error, not
  /// a signal; a range beyond size() is Corrupt.
  [[nodiscard]] virtual Status copy_out(ByteOffset from, std::span<char> to) const = 0;
  /// The mapped bytes; only for a mapping made writable (state file). Null for a read-only one.
  [[nodiscard]] virtual char* writable() = 0;
  /// Asks the processor to load bytes that will be copied out soon. Only a hint: any range is allowed, nothing is read
  /// from the disk.
  virtual void prefetch(ByteOffset /*from*/, std::size_t /*size*/) const {}
  /// Asks the system to begin to read from the disk what is not in memory, and does not wait for it. Only a hint, as
  /// above.
  virtual void read_ahead(ByteOffset /*from*/, std::size_t /*size*/) const {}
  /// Whether all of it is in memory now, so that copying it out does not wait. A system call.
  [[nodiscard]] virtual bool is_resident(ByteOffset /*from*/, std::size_t /*size*/) const { return true; }
};

/// What can be told of a file or folder without reading it. Two equal looks saw the same content, as far as the
/// operating system can tell.
struct FileInfo {
  std::uint32_t permissions = 0;  ///< the nine bits rwxrwxrwx
  std::uint64_t device = 0;       ///< the file system it is on
  std::uint64_t id = 0;           ///< in its file system; another file under the same name has another one
  std::uint64_t links = 0;        ///< names it has; 0 = it was removed
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0;  ///< when content or permissions were last changed
  bool operator==(const FileInfo&) const = default;
  /// Whether both looks saw the same file or folder, whatever its content.
  [[nodiscard]] bool is_same_file(const FileInfo& other) const { return device == other.device && id == other.id; }
};

/// An open file. One thread writes at a time; reads and mappings may run beside it. EINTR and short transfers are
/// handled inside. The destructor closes silently; call close() where a failure matters.
class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual const std::string& path() const = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
  /// Of the open file, whatever its path names by now; without changed_ns.
  [[nodiscard]] virtual Result<FileInfo> about() const = 0;
  /// Writes all bytes or fails; after a failure any part may have been written.
  [[nodiscard]] virtual Status write_at(ByteOffset offset, std::string_view bytes) = 0;
  /// Fills `to` entirely or fails; reading past the end is Corrupt ("file is shorter than expected").
  [[nodiscard]] virtual Status read_at(ByteOffset offset, std::span<char> to) const = 0;
  /// fdatasync: on return the written bytes and the file's size are on stable storage. Never retry after a failure.
  [[nodiscard]] virtual Status sync_data() = 0;
  /// Reserves blocks for [0, length) and extends the file to `length` with bytes that read as zero.
  [[nodiscard]] virtual Status allocate(std::uint64_t length) = 0;
  [[nodiscard]] virtual Status truncate(std::uint64_t length) = 0;
  /// Maps [0, length) for reading; length must not exceed the size.
  [[nodiscard]] virtual Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const = 0;
  /// Maps [0, length) shared and writable.
  [[nodiscard]] virtual Result<std::unique_ptr<Mapping>> map_writable(std::uint64_t length) = 0;
  /// Takes the exclusive lock of the file itself (flock) until it is closed. Locked if anyone else has it, in this
  /// process too; Unsupported if the file system has no such locks.
  [[nodiscard]] virtual Status lock() = 0;
  /// As FileSystem::rename(path(), to). path() is `to` afterwards; nothing is opened for it.
  [[nodiscard]] virtual Status rename(const std::string& to) = 0;
  [[nodiscard]] virtual Status close() = 0;
};

enum class OpenMode {
  Read,           ///< must exist
  ReadWrite,      ///< must exist
  CreateNew,      ///< must not exist; mode 0640
  CreatePrivate,  ///< must not exist; mode 0600
  OpenOrCreate,
};

/// Held while it lives; released by the destructor or the end of the process.
class FolderLock {
 public:
  struct Held {
    FileInfo folder;
    FileInfo lock_file;
    std::string weakness;  ///< why the folder itself could not be locked, although its lock file is; empty if it is
  };

  virtual ~FolderLock() = default;
  /// What was locked. It stays locked, and no other file or folder is the same, whatever happens to the names.
  [[nodiscard]] const Held& held() const { return held_; }

 protected:
  explicit FolderLock(Held held) : held_(std::move(held)) {}

 private:
  const Held held_;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  [[nodiscard]] virtual Result<bool> exists(const std::string& path) = 0;
  /// Names (not paths) of the entries of a folder, without . and .., sorted.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
  /// Creates the folder and its parents (mode 0750) and syncs each parent that gained an entry. Existing is fine.
  [[nodiscard]] virtual Status create_folders(const std::string& folder) = 0;
  /// create_folders(), except that the last folder gets mode 0700 if it is created.
  [[nodiscard]] virtual Status create_private_folder(const std::string& folder) = 0;
  /// NotFound if nothing has this name.
  [[nodiscard]] virtual Result<FileInfo> look_at(const std::string& path) = 0;
  [[nodiscard]] virtual Status rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual Status remove(const std::string& path) = 0;
  /// Of an empty folder.
  [[nodiscard]] virtual Status remove_folder(const std::string& path) = 0;
  /// fsync of the folder: created, renamed and removed entries are on stable storage on return.
  [[nodiscard]] virtual Status sync_directory(const std::string& folder) = 0;
  /// Takes the exclusive lock of the folder of `path` (flock) and of the lock file `path`, which it creates: that one
  /// can be made anew, the folder cannot. Locked, naming the holder's process id if it is known, if anyone else has
  /// either.
  [[nodiscard]] virtual Result<std::unique_ptr<FolderLock>> lock(const std::string& path) = 0;
  /// Whether anybody holds lock(path) now, this process included. Only asks: nobody who takes the lock meanwhile is
  /// refused because of it. If the lock file was removed or replaced under its holder it is still true where the
  /// operating system lists the lock of the folder, and false elsewhere (another container's holder, btrfs).
  [[nodiscard]] virtual Result<bool> is_locked(const std::string& path) = 0;
};

/// The process-wide POSIX implementation.
[[nodiscard]] FileSystem& posix_file_system();

}  // namespace stele
