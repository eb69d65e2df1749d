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

  /// From now on nothing of the index that is mapped is in memory until it is read.
  void chill() { cold_ = true; }
  void warm_up() { cold_ = false; }
  /// Whether this thread has read what was not in memory.
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
      if (files_.cold_ && !is_resident(from, to.size())) {
        const std::lock_guard lock(files_.mutex_);
        files_.waited_.insert(std::this_thread::get_id());
        for (std::uint64_t page = from.value() / kPage; page * kPage < from.value() + to.size(); ++page)
          read_.insert(page);
      }
      return ForwardingMapping::copy_out(from, to);
    }
    bool is_resident(ByteOffset from, std::size_t size) const override {
      if (!files_.cold_) return true;
      const std::lock_guard lock(files_.mutex_);
      for (std::uint64_t page = from.value() / kPage; page * kPage < from.value() + size; ++page) {
        if (!read_.contains(page)) return false;
      }
      return true;
    }

   private:
    static constexpr std::uint64_t kPage = 4096;
    mutable std::set<std::uint64_t> read_;  // pages, since it is cold; under the mutex
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
