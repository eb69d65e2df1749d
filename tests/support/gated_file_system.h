#pragma once
// A file system whose mapped files in one folder are read only as a gate lets reads pass, so that tests can have reads
// that block without a disk that does.

#include <condition_variable>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/forwarding_file_system.h"

namespace stele::test {

/// Open at first. Reads pass in the order in which they came. Thread-safe.
class ReadGate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    const std::uint64_t number = ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return number <= admitted_; });
  }
  /// Nothing passes any more, but `reads` of those to come.
  void close(std::uint64_t reads = 0) { set(reads, false); }
  /// So many more may pass.
  void admit(std::uint64_t reads) {
    const std::lock_guard lock(mutex_);
    admitted_ += reads;
    changed_.notify_all();
  }
  void open() { set(0, true); }
  /// Waits until so many wait.
  void await_waiting(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= admitted_ + count; });
  }

 private:
  void set(std::uint64_t reads, bool open) {
    const std::lock_guard lock(mutex_);
    admitted_ = open ? std::numeric_limits<std::uint64_t>::max() : arrived_ + reads;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t arrived_ = 0;
  std::uint64_t admitted_ = std::numeric_limits<std::uint64_t>::max();
};

class GatedFileSystem final : public ForwardingFileSystem {
 public:
  /// Reads of mappings of files whose path contains `folder` go through the gate. Both must outlive this and its files.
  GatedFileSystem(FileSystem& disk, ReadGate& gate, std::string folder)
      : ForwardingFileSystem(disk), gate_(gate), folder_(std::move(folder)) {}

  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    STELE_ASSIGN(std::unique_ptr<File> file, ForwardingFileSystem::open(path, mode));
    if (path.find(folder_) == std::string::npos) return file;
    return std::unique_ptr<File>(std::make_unique<GatedFile>(std::move(file), gate_));
  }

 private:
  class GatedMapping final : public ForwardingMapping {
   public:
    GatedMapping(std::unique_ptr<Mapping> mapping, ReadGate& gate)
        : ForwardingMapping(std::move(mapping)), gate_(gate) {}
    [[nodiscard]] Status copy_out(ByteOffset from, std::span<char> to) const override {
      gate_.pass();
      return ForwardingMapping::copy_out(from, to);
    }

   private:
    ReadGate& gate_;
  };

  class GatedFile final : public ForwardingFile {
   public:
    GatedFile(std::unique_ptr<File> file, ReadGate& gate) : ForwardingFile(std::move(file)), gate_(gate) {}
    [[nodiscard]] Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override {
      STELE_ASSIGN(std::unique_ptr<Mapping> mapping, ForwardingFile::map(length));
      return std::unique_ptr<Mapping>(std::make_unique<GatedMapping>(std::move(mapping), gate_));
    }

   private:
    ReadGate& gate_;
  };

  ReadGate& gate_;
  const std::string folder_;
};

}  // namespace stele::test
