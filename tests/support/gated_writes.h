#pragma once
// A file system that takes writes to one folder only as a gate lets them pass, so that tests can have a disk that hangs
// for one part of a store and not for the others.

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/ids.h"
#include "tests/support/forwarding_file_system.h"
#include "tests/support/gated_file_system.h"

namespace stele::test {

class GatedWrites final : public ForwardingFileSystem {
 public:
  /// Writes at `from` or behind it, and syncs, of files whose path contains `folder` go through the gate. All must
  /// outlive this and its files.
  GatedWrites(FileSystem& disk, ReadGate& gate, std::string folder, ByteOffset from = {})
      : ForwardingFileSystem(disk), gate_(gate), folder_(std::move(folder)), from_(from) {}

  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    STELE_ASSIGN(std::unique_ptr<File> file, ForwardingFileSystem::open(path, mode));
    if (path.find(folder_) == std::string::npos) return file;
    return std::unique_ptr<File>(std::make_unique<GatedFile>(std::move(file), *this));
  }

 private:
  class GatedFile final : public ForwardingFile {
   public:
    GatedFile(std::unique_ptr<File> file, const GatedWrites& files) : ForwardingFile(std::move(file)), files_(files) {}
    [[nodiscard]] Status write_at(ByteOffset offset, std::string_view bytes) override {
      if (offset >= files_.from_) files_.gate_.pass();
      return ForwardingFile::write_at(offset, bytes);
    }
    [[nodiscard]] Status sync_data() override {
      files_.gate_.pass();
      return ForwardingFile::sync_data();
    }

   private:
    const GatedWrites& files_;
  };

  ReadGate& gate_;
  const std::string folder_;
  const ByteOffset from_;
};

}  // namespace stele::test
