#pragma once
// Bytes as a file that can only be read, and a file system that has nothing but this file, under every name.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "engine/base/file_system.h"

namespace stele::fuzz {

inline Error not_here() { return Error{.kind = ErrorKind::Io, .message = "a file in memory is only read"}; }

class MemoryMapping final : public Mapping {
 public:
  explicit MemoryMapping(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Status copy_out(ByteOffset from, std::span<char> to) const override {
    if (from.value() > bytes_.size() || to.size() > bytes_.size() - from.value()) {
      return Error{.kind = ErrorKind::Corrupt, .message = "beyond the mapping"};
    }
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(from.value()), to.size(), to.begin());
    return {};
  }
  char* writable() override { return nullptr; }

 private:
  std::string bytes_;
};

class MemoryFile final : public File {
 public:
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}
  const std::string& path() const override { return path_; }
  Result<std::uint64_t> size() const override { return static_cast<std::uint64_t>(bytes_.size()); }
  Result<FileInfo> about() const override { return FileInfo{.permissions = 0640, .size = bytes_.size()}; }
  Status read_at(ByteOffset offset, std::span<char> to) const override {
    if (offset.value() > bytes_.size() || to.size() > bytes_.size() - offset.value()) {
      return Error{.kind = ErrorKind::Corrupt, .message = "file is shorter than expected"};
    }
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset.value()), to.size(), to.begin());
    return {};
  }
  Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override {
    if (length > bytes_.size()) return Error{.kind = ErrorKind::Corrupt, .message = "file is shorter than expected"};
    return std::unique_ptr<Mapping>(std::make_unique<MemoryMapping>(std::string_view(bytes_).substr(0, length)));
  }
  Status write_at(ByteOffset, std::string_view) override { return not_here(); }
  Status sync_data() override { return not_here(); }
  Status allocate(std::uint64_t) override { return not_here(); }
  Status truncate(std::uint64_t) override { return not_here(); }
  Result<std::unique_ptr<Mapping>> map_writable(std::uint64_t) override { return not_here(); }
  Status lock() override { return not_here(); }
  Status rename(const std::string&) override { return not_here(); }
  Status close() override { return {}; }

 private:
  const std::string bytes_;
  const std::string path_ = "memory";
};

class MemoryFileSystem final : public FileSystem {
 public:
  explicit MemoryFileSystem(std::string_view bytes) : bytes_(bytes) {}
  Result<std::unique_ptr<File>> open(const std::string&, OpenMode) override {
    return std::unique_ptr<File>(std::make_unique<MemoryFile>(bytes_));
  }
  Result<bool> exists(const std::string&) override { return true; }
  Result<std::vector<std::string>> list(const std::string&) override { return not_here(); }
  Status create_folders(const std::string&) override { return not_here(); }
  Status create_private_folder(const std::string&) override { return not_here(); }
  Result<FileInfo> look_at(const std::string&) override { return FileInfo{.permissions = 0640, .size = bytes_.size()}; }
  Status rename(const std::string&, const std::string&) override { return not_here(); }
  Status remove(const std::string&) override { return not_here(); }
  Status sync_directory(const std::string&) override { return not_here(); }
  Result<std::unique_ptr<FolderLock>> lock(const std::string&) override { return not_here(); }
  Result<bool> is_locked(const std::string&) override { return not_here(); }
  Status remove_folder(const std::string&) override { return not_here(); }

 private:
  const std::string bytes_;
};

}  // namespace stele::fuzz
