#pragma once
// The folder of secrets (API keys' hashes, signing keys …), apart from the data so that no secret gets into the log, an
// export or a backup. Only its owner may look into it: folder 0700, files 0600, refused otherwise.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/file_system.h"

namespace stele::api {

/// Thread-safe. Processes may share a folder: whoever changes a file by what it holds must hold lock() meanwhile.
class KeyStore {
 public:
  enum class IfMissing { Create, Fail };

  /// `files` must outlive it. InvalidArgument, with words for people, if others than the owner can look into the
  /// folder.
  [[nodiscard]] static Result<KeyStore> open(FileSystem& files, std::string folder, IfMissing if_missing);

  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// None if there is no such file. InvalidArgument if others can read it.
  [[nodiscard]] Result<std::optional<std::string>> read(const std::string& name) const;
  /// Puts a new file in the place of the old one, as a whole or not at all; durable on return.
  [[nodiscard]] Status write(const std::string& name, std::string_view content) const;
  /// Durable on return; nothing happens if there is no such file.
  [[nodiscard]] Status remove(const std::string& name) const;
  /// To see whether a file has changed; none if there is no such file.
  [[nodiscard]] Result<std::optional<FileInfo>> look_at(const std::string& name) const;
  /// Waits a few seconds for another process that has it; Locked if that does not let go.
  [[nodiscard]] Result<std::unique_ptr<FolderLock>> lock() const;

 private:
  KeyStore(FileSystem& files, std::string folder) : files_(&files), folder_(std::move(folder)) {}
  [[nodiscard]] std::string path_of(const std::string& name) const { return folder_ + "/" + name; }

  FileSystem* files_;
  std::string folder_;
};

}  // namespace stele::api
