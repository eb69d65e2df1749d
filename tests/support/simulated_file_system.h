#pragma once
// A file system in memory that loses what a real disk may lose, for crash tests. What happens is decided by the seed.
//
// Every file has a live image (what the running process sees) and a durable one. Writes and sizes are pending until
// sync_data() of the file; created, renamed and removed entries until sync_directory() of their folder. A power cut
// leaves
// - of each 512-byte sector the durable content or that of any moment since, independently of every other sector;
// - of each file's size the durable one or any since, in order, without the data it had been extended for (zeros then);
// - of each folder's pending entries a prefix in their order, independently of other folders, as a journal would;
// - of a writable mapping each changed sector, or not.
// sync_data() does not make the file's entry durable.
//
// A crash test runs the store until cut_power() or cut_power_at_call() strikes, destroys the store, calls crash() and
// opens again. Thread-safe. Folders cannot be renamed or removed. The space of a removed file is free at once.
// Permissions are not simulated: everything counts as private.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/file_system.h"

namespace stele {

enum class SimulatedCall {
  Open,
  Read,   ///< read_at and Mapping::copy_out
  Write,  ///< write_at
  Sync,   ///< sync_data
  Allocate,
  Truncate,
  Map,  ///< map and map_writable
  Close,
  Lookup,  ///< File::size and about, exists, list, look_at and is_locked
  CreateFolders,
  Rename,
  Remove,
  SyncDirectory,
  Lock,  ///< File::lock and lock
};
inline constexpr std::size_t kSimulatedCalls = 14;

enum class SimulatedFailure {
  Io,             ///< EIO; nothing of the call happened, except that a sync may have written and forgets the rest
  DiskFull,       ///< ENOSPC; an allocate may have extended the file in part
  ShortIo,        ///< write: part of the bytes, then EIO; other calls: as Io
  ShortDiskFull,  ///< write: part of the bytes, then ENOSPC; other calls: as DiskFull
};

class SimulatedFileSystem final : public FileSystem {
 public:
  explicit SimulatedFileSystem(std::uint64_t seed);
  ~SimulatedFileSystem() override;

  // FileSystem. The folders "/" and "." exist from the start.
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  [[nodiscard]] Result<bool> exists(const std::string& path) override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& folder) override;
  [[nodiscard]] Status create_folders(const std::string& folder) override;
  [[nodiscard]] Status create_private_folder(const std::string& folder) override;
  [[nodiscard]] Result<FileInfo> look_at(const std::string& path) override;
  [[nodiscard]] Status rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] Status remove(const std::string& path) override;
  [[nodiscard]] Status remove_folder(const std::string& path) override;
  [[nodiscard]] Status sync_directory(const std::string& folder) override;
  [[nodiscard]] Result<std::unique_ptr<FolderLock>> lock(const std::string& path) override;
  [[nodiscard]] Result<bool> is_locked(const std::string& path) override;

  // Crashes.
  /// Power is lost and comes back: sets up the disk as the next process finds it. Calls through files opened before
  /// give EIO from now on, mappings stay readable with their old content, locks are released, failures that were
  /// ordered are forgotten.
  void crash();
  /// The process ends, the machine does not: as crash(), but what was written stays readable, and pending if it was not
  /// synced.
  void kill();
  /// From now on every call fails with EIO and changes nothing, until crash() or kill().
  void cut_power();
  /// The same just before the n-th call of any kind from now (1 = the next).
  void cut_power_at_call(std::uint64_t n);
  [[nodiscard]] bool power_is_cut() const;

  // Failures of single calls; several can be ordered at once.
  /// The n-th call of this kind from now (1 = the next) fails.
  void fail_call(SimulatedCall call, std::uint64_t n, SimulatedFailure how);
  /// Every call of this kind fails with this probability.
  void fail_with_probability(SimulatedCall call, double probability, SimulatedFailure how);
  void stop_failing();
  /// Beyond this many bytes (files' sizes, rounded up to 4096) writes and allocations find the disk full; none = no
  /// limit.
  void set_capacity(std::optional<std::uint64_t> bytes);

  // Looking at the disk from outside: neither counted nor failed.
  [[nodiscard]] std::uint64_t calls(SimulatedCall call) const;
  [[nodiscard]] std::uint64_t calls() const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  /// What the running process sees in the file, what is surely on the disk under this name; none = no such file.
  [[nodiscard]] std::optional<std::string> live_contents(const std::string& path) const;
  [[nodiscard]] std::optional<std::string> durable_contents(const std::string& path) const;

 private:
  class Disk;
  class OpenFile;
  class OpenMapping;
  class HeldLock;
  std::shared_ptr<Disk> disk_;
};

}  // namespace stele
