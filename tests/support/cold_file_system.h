#pragma once
// A file system whose mapped files can be made to look as if nothing of them were in memory, and which tells who reads
// them then.

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/file_system.h"

namespace stele::test {

class ColdFileSystem final : public FileSystem {
 public:
  explicit ColdFileSystem(FileSystem& real = posix_file_system()) : real_(real) {}

  /// From now on nothing of the index that is mapped is in memory, whatever is read.
  void chill() { cold_ = true; }
  void warm_up() { cold_ = false; }
  /// Whether this thread has read from the index while nothing of it was in memory.
  [[nodiscard]] bool has_waited(std::thread::id thread) const {
    const std::lock_guard lock(mutex_);
    return waited_.contains(thread);
  }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    STELE_ASSIGN(auto file, real_.open(path, mode));
    if (path.find("/index/") == std::string::npos) return file;
    return std::unique_ptr<File>(std::make_unique<ColdFile>(*this, std::move(file)));
  }
  Result<bool> exists(const std::string& path) override { return real_.exists(path); }
  Result<std::vector<std::string>> list(const std::string& folder) override { return real_.list(folder); }
  Status create_folders(const std::string& folder) override { return real_.create_folders(folder); }
  Status create_private_folder(const std::string& folder) override { return real_.create_private_folder(folder); }
  Result<FileInfo> look_at(const std::string& path) override { return real_.look_at(path); }
  Status rename(const std::string& from, const std::string& to) override { return real_.rename(from, to); }
  Status remove(const std::string& path) override { return real_.remove(path); }
  Status sync_folder(const std::string& folder) override { return real_.sync_folder(folder); }
  Result<std::unique_ptr<FolderLock>> lock(const std::string& path) override { return real_.lock(path); }

 private:
  class ColdMapping final : public Mapping {
   public:
    ColdMapping(ColdFileSystem& files, std::unique_ptr<Mapping> real) : files_(files), real_(std::move(real)) {}
    std::uint64_t size() const override { return real_->size(); }
    Status copy_out(ByteOffset from, std::span<char> to) const override {
      if (files_.cold_) {
        const std::lock_guard lock(files_.mutex_);
        files_.waited_.insert(std::this_thread::get_id());
      }
      return real_->copy_out(from, to);
    }
    char* writable() override { return real_->writable(); }
    bool is_resident(ByteOffset, std::size_t) const override { return !files_.cold_; }

   private:
    ColdFileSystem& files_;
    std::unique_ptr<Mapping> real_;
  };
  class ColdFile final : public File {
   public:
    ColdFile(ColdFileSystem& files, std::unique_ptr<File> real) : files_(files), real_(std::move(real)) {}
    const std::string& path() const override { return real_->path(); }
    Result<std::uint64_t> size() const override { return real_->size(); }
    Status write_at(ByteOffset offset, std::string_view bytes) override { return real_->write_at(offset, bytes); }
    Status read_at(ByteOffset offset, std::span<char> to) const override { return real_->read_at(offset, to); }
    Status sync_data() override { return real_->sync_data(); }
    Status allocate(std::uint64_t length) override { return real_->allocate(length); }
    Status truncate(std::uint64_t length) override { return real_->truncate(length); }
    Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override {
      STELE_ASSIGN(auto mapping, real_->map(length));
      return std::unique_ptr<Mapping>(std::make_unique<ColdMapping>(files_, std::move(mapping)));
    }
    Result<std::unique_ptr<Mapping>> map_writable(std::uint64_t length) override { return real_->map_writable(length); }
    Status close() override { return real_->close(); }

   private:
    ColdFileSystem& files_;
    std::unique_ptr<File> real_;
  };

  FileSystem& real_;
  std::atomic<bool> cold_{false};
  mutable std::mutex mutex_;
  std::set<std::thread::id> waited_;
};

}  // namespace stele::test
