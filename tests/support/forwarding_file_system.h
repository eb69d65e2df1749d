#pragma once
// Files that do what those of another file system do: for tests that change one thing about them.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/file_system.h"

namespace stele::test {

class ForwardingMapping : public Mapping {
 public:
  explicit ForwardingMapping(std::unique_ptr<Mapping> real) : real_(std::move(real)) {}
  [[nodiscard]] std::uint64_t size() const override { return real_->size(); }
  [[nodiscard]] Status copy_out(ByteOffset from, std::span<char> to) const override {
    return real_->copy_out(from, to);
  }
  [[nodiscard]] char* writable() override { return real_->writable(); }

 private:
  std::unique_ptr<Mapping> real_;
};

class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::unique_ptr<File> real) : real_(std::move(real)) {}
  [[nodiscard]] const std::string& path() const override { return real_->path(); }
  [[nodiscard]] Result<std::uint64_t> size() const override { return real_->size(); }
  [[nodiscard]] Result<FileInfo> about() const override { return real_->about(); }
  [[nodiscard]] Status write_at(ByteOffset offset, std::string_view bytes) override {
    return real_->write_at(offset, bytes);
  }
  [[nodiscard]] Status read_at(ByteOffset offset, std::span<char> to) const override {
    return real_->read_at(offset, to);
  }
  [[nodiscard]] Status sync_data() override { return real_->sync_data(); }
  [[nodiscard]] Status allocate(std::uint64_t length) override { return real_->allocate(length); }
  [[nodiscard]] Status truncate(std::uint64_t length) override { return real_->truncate(length); }
  [[nodiscard]] Result<std::unique_ptr<Mapping>> map(std::uint64_t length) const override { return real_->map(length); }
  [[nodiscard]] Result<std::unique_ptr<Mapping>> map_writable(std::uint64_t length) override {
    return real_->map_writable(length);
  }
  [[nodiscard]] Status lock() override { return real_->lock(); }
  [[nodiscard]] Status rename(const std::string& to) override { return real_->rename(to); }
  [[nodiscard]] Status close() override { return real_->close(); }

 private:
  std::unique_ptr<File> real_;
};

/// `real` must outlive it.
class ForwardingFileSystem : public FileSystem {
 public:
  explicit ForwardingFileSystem(FileSystem& real) : real_(real) {}
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    return real_.open(path, mode);
  }
  [[nodiscard]] Result<bool> exists(const std::string& path) override { return real_.exists(path); }
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& folder) override { return real_.list(folder); }
  [[nodiscard]] Status create_folders(const std::string& folder) override { return real_.create_folders(folder); }
  [[nodiscard]] Status create_private_folder(const std::string& folder) override {
    return real_.create_private_folder(folder);
  }
  [[nodiscard]] Result<FileInfo> look_at(const std::string& path) override { return real_.look_at(path); }
  [[nodiscard]] Status rename(const std::string& from, const std::string& to) override {
    return real_.rename(from, to);
  }
  [[nodiscard]] Status remove(const std::string& path) override { return real_.remove(path); }
  [[nodiscard]] Status remove_folder(const std::string& path) override { return real_.remove_folder(path); }
  [[nodiscard]] Status sync_directory(const std::string& folder) override { return real_.sync_directory(folder); }
  [[nodiscard]] Result<std::unique_ptr<FolderLock>> lock(const std::string& path) override { return real_.lock(path); }
  [[nodiscard]] Result<bool> is_locked(const std::string& path) override { return real_.is_locked(path); }

 private:
  FileSystem& real_;
};

}  // namespace stele::test
