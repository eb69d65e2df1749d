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

#include "engine/base/file_system.h"

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

class GatedFileSystem final : public FileSystem {
 public:
  /// Reads of mappings of files whose path contains `folder` go through the gate. Both must outlive this and its files.
  GatedFileSystem(FileSystem& disk, ReadGate& gate, std::string folder)
      : disk_(disk), gate_(gate), folder_(std::move(folder)) {}

  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    STELE_ASSIGN(std::unique_ptr<File> file, disk_.open(path, mode));
    if (path.find(folder_) == std::string::npos) return file;
    return std::unique_ptr<File>(std::make_unique<GatedFile>(std::move(file), gate_));
  }
  [[nodiscard]] Result<bool> exists(const std::string& path) override { return disk_.exists(path); }
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& folder) override { return disk_.list(folder); }
  [[nodiscard]] Status create_folders(const std::string& folder) override { return disk_.create_folders(folder); }
  [[nodiscard]] Status create_private_folder(const std::string& folder) override {
    return disk_.create_private_folder(folder);
  }
  [[nodiscard]] Result<FileInfo> look_at(const std::string& path) override { return disk_.look_at(path); }
  [[nodiscard]] Status rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  [[nodiscard]] Status remove(const std::string& path) override { return disk_.remove(path); }
  [[nodiscard]] Status sync_folder(const std::string& folder) override { return disk_.sync_folder(folder); }
  [[nodiscard]] Result<std::unique_ptr<FolderLock>> lock(const std::string& path) override { return disk_.lock(path); }

 private:
  class GatedMapping final : public Mapping {
   public:
    GatedMapping(std::unique_ptr<Mapping> mapping, ReadGate& gate) : mapping_(std::move(mapping)), gate_(gate) {}
    [[nodiscard]] std::uint64_t size() const override { return mapping_->size(); }
    [[nodiscard]] Status copy_out(ByteOffset from, std::span<char> to) const override {
      gate_.pass();
      return mapping_->copy_out(from, to);
    }
    [[nodiscard]] char* writable() override { return mapping_->writable(); }

   private:
    std::unique_ptr<Mapping> mapping_;
    ReadGate& gate_;
  };

  class GatedFile final : public File {
   public:
    GatedFile(std::unique_ptr<File> file, ReadGate& gate) : file_(std::move(file)), gate_(gate) {}
    [[nodiscard]] const std::string& path() const override { return file_->path(); }
    [[nodiscard]] Result<std::uint64_t> size() const override { return file_->size(); }
    [[nodiscard]] Status write_at(ByteOffset offset, std::string_view bytes) override {
      return file_->write_at(offset, bytes);
    }
    [[nodiscard]] Status read_at(ByteOffset offset, std::span<char> to) const override {
      return file_->read_at(offset, to);
    }
    [[nodiscard]] Status sync_data() override { return file_->sync_data(); }
    [[nodiscard]] Status allocate(std::uint64_t length) override { return file_->allocate(length); }
    [[nodiscard]] Status truncate(std::uint64_t length) override { return file_->truncate(length); }
    [[nodiscard]] Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override {
      STELE_ASSIGN(std::unique_ptr<Mapping> mapping, file_->map(length));
      return std::unique_ptr<Mapping>(std::make_unique<GatedMapping>(std::move(mapping), gate_));
    }
    [[nodiscard]] Result<std::unique_ptr<Mapping>> map_writable(std::uint64_t length) override {
      return file_->map_writable(length);
    }
    [[nodiscard]] Status close() override { return file_->close(); }

   private:
    std::unique_ptr<File> file_;
    ReadGate& gate_;
  };

  FileSystem& disk_;
  ReadGate& gate_;
  const std::string folder_;
};

}  // namespace stele::test
