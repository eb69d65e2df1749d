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

#include "tests/support/forwarding_file_system.h"

namespace stele::test {

class ColdFileSystem final : public ForwardingFileSystem {
 public:
  explicit ColdFileSystem(FileSystem& real = posix_file_system()) : ForwardingFileSystem(real) {}

  /// From now on nothing of the index that is mapped is in memory, whatever is read.
  void chill() { cold_ = true; }
  void warm_up() { cold_ = false; }
  /// Whether this thread has read from the index while nothing of it was in memory.
  [[nodiscard]] bool has_waited(std::thread::id thread) const {
    const std::lock_guard lock(mutex_);
    return waited_.contains(thread);
  }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    STELE_ASSIGN(auto file, ForwardingFileSystem::open(path, mode));
    if (path.find("/index/") == std::string::npos) return file;
    return std::unique_ptr<File>(std::make_unique<ColdFile>(*this, std::move(file)));
  }

 private:
  class ColdMapping final : public ForwardingMapping {
   public:
    ColdMapping(ColdFileSystem& files, std::unique_ptr<Mapping> real)
        : ForwardingMapping(std::move(real)), files_(files) {}
    Status copy_out(ByteOffset from, std::span<char> to) const override {
      if (files_.cold_) {
        const std::lock_guard lock(files_.mutex_);
        files_.waited_.insert(std::this_thread::get_id());
      }
      return ForwardingMapping::copy_out(from, to);
    }
    bool is_resident(ByteOffset, std::size_t) const override { return !files_.cold_; }

   private:
    ColdFileSystem& files_;
  };
  class ColdFile final : public ForwardingFile {
   public:
    ColdFile(ColdFileSystem& files, std::unique_ptr<File> real) : ForwardingFile(std::move(real)), files_(files) {}
    Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override {
      STELE_ASSIGN(auto mapping, ForwardingFile::map(length));
      return std::unique_ptr<Mapping>(std::make_unique<ColdMapping>(files_, std::move(mapping)));
    }

   private:
    ColdFileSystem& files_;
  };

  std::atomic<bool> cold_{false};
  mutable std::mutex mutex_;
  std::set<std::thread::id> waited_;
};

}  // namespace stele::test
