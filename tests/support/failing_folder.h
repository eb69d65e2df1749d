#pragma once
// A file system of which one folder can be made to fail while all others are well.

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/forwarding_file_system.h"

namespace stele::test {

class FailingFolder final : public ForwardingFileSystem {
 public:
  enum class Failing {
    Nothing,
    Writes,    ///< EIO
    Syncs,     ///< EIO; what was written before stays where it is
    Space,     ///< writes: ENOSPC
    NewFiles,  ///< EIO, and writes to those that there are
    Reads,     ///< EIO
  };

  /// Of files whose path contains `folder`. `disk` must outlive it.
  FailingFolder(FileSystem& disk, std::string folder) : ForwardingFileSystem(disk), folder_(std::move(folder)) {}

  /// From now on, also of files that are open. Any thread.
  void fail(Failing what) { failing_ = what; }

  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const bool is_ours = path.find(folder_) != std::string::npos;
    if (is_ours && mode == OpenMode::CreateNew) STELE_TRY(may(Failing::NewFiles));
    STELE_ASSIGN(std::unique_ptr<File> file, ForwardingFileSystem::open(path, mode));
    if (!is_ours) return file;
    return std::unique_ptr<File>(std::make_unique<FailingFile>(std::move(file), *this));
  }

 private:
  [[nodiscard]] Status may(Failing what) const {
    const Failing now = failing_;
    if (what == Failing::Writes && now == Failing::Space) return os_error(ENOSPC, "no space, as was ordered");
    if (now == what || (what == Failing::Writes && now == Failing::NewFiles)) {
      return os_error(EIO, "a failure that was ordered");
    }
    return {};
  }

  class FailingMapping final : public ForwardingMapping {
   public:
    FailingMapping(std::unique_ptr<Mapping> mapping, const FailingFolder& folder)
        : ForwardingMapping(std::move(mapping)), folder_(folder) {}
    [[nodiscard]] Status copy_out(ByteOffset from, std::span<char> to) const override {
      STELE_TRY(folder_.may(Failing::Reads));
      return ForwardingMapping::copy_out(from, to);
    }

   private:
    const FailingFolder& folder_;
  };

  class FailingFile final : public ForwardingFile {
   public:
    FailingFile(std::unique_ptr<File> file, const FailingFolder& folder)
        : ForwardingFile(std::move(file)), folder_(folder) {}
    [[nodiscard]] Status write_at(ByteOffset offset, std::string_view bytes) override {
      STELE_TRY(folder_.may(Failing::Writes));
      return ForwardingFile::write_at(offset, bytes);
    }
    [[nodiscard]] Status read_at(ByteOffset offset, std::span<char> to) const override {
      STELE_TRY(folder_.may(Failing::Reads));
      return ForwardingFile::read_at(offset, to);
    }
    [[nodiscard]] Status sync_data() override {
      STELE_TRY(folder_.may(Failing::Syncs));
      return ForwardingFile::sync_data();
    }
    [[nodiscard]] Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override {
      STELE_ASSIGN(std::unique_ptr<Mapping> mapping, ForwardingFile::map(length));
      return std::unique_ptr<Mapping>(std::make_unique<FailingMapping>(std::move(mapping), folder_));
    }

   private:
    const FailingFolder& folder_;
  };

  const std::string folder_;
  std::atomic<Failing> failing_{Failing::Nothing};
};

}  // namespace stele::test
