#include "api/access/key_store.h"

#include <fmt/core.h>

#include <chrono>
#include <thread>

namespace stele::api {

namespace {

constexpr std::uint32_t kNotOfOwner = 077;
constexpr std::uint64_t kFileBytesMax = 64ULL << 20;
constexpr std::chrono::milliseconds kLockStep{10};
constexpr int kLockSteps = 500;

Status check_private(const FileInfo& info, const std::string& path, const char* remedy) {
  if ((info.permissions & kNotOfOwner) == 0) return {};
  return Error{
      .kind = ErrorKind::InvalidArgument,
      .message = fmt::format("others than the owner can look into the key store (mode {:04o}); run: chmod {} {}",
                             info.permissions, remedy, path)};
}

}  // namespace

Result<KeyStore> KeyStore::open(FileSystem& files, std::string folder, IfMissing if_missing) {
  if (if_missing == IfMissing::Create) STELE_TRY(files.create_private_folder(folder));
  STELE_ASSIGN(const FileInfo info, files.look_at(folder));
  STELE_TRY(check_private(info, folder, "700"));
  return KeyStore(files, std::move(folder));
}

Result<std::optional<std::string>> KeyStore::read(const std::string& name) const {
  const std::string path = path_of(name);
  STELE_ASSIGN(const std::optional<FileInfo> info, look_at(name));
  if (!info) return std::optional<std::string>{};
  STELE_TRY(check_private(*info, path, "600"));
  STELE_ASSIGN(const std::unique_ptr<File> file, files_->open(path, OpenMode::Read));
  STELE_ASSIGN(const std::uint64_t size, file->size());
  if (size > kFileBytesMax) return Error{.kind = ErrorKind::TooLarge, .message = "the file is too large", .file = path};
  std::string content(size, '\0');
  STELE_TRY(file->read_at(ByteOffset{0}, content));
  return std::optional(std::move(content));
}

Status KeyStore::write(const std::string& name, std::string_view content) const {
  const std::string path = path_of(name);
  const std::string fresh = path + ".new";
  STELE_ASSIGN(const bool left_over, files_->exists(fresh));
  if (left_over) STELE_TRY(files_->remove(fresh));
  {
    STELE_ASSIGN(const std::unique_ptr<File> file, files_->open(fresh, OpenMode::CreatePrivate));
    STELE_TRY(file->write_at(ByteOffset{0}, content));
    STELE_TRY(file->sync_data());
    STELE_TRY(file->close());
  }
  STELE_TRY(files_->rename(fresh, path));
  return files_->sync_directory(folder_);
}

Status KeyStore::remove(const std::string& name) const {
  STELE_ASSIGN(const bool exists, files_->exists(path_of(name)));
  if (exists) STELE_TRY(files_->remove(path_of(name)));
  return files_->sync_directory(folder_);
}

Result<std::optional<FileInfo>> KeyStore::look_at(const std::string& name) const {
  auto info = files_->look_at(path_of(name));
  if (info) return std::optional(*info);
  if (info.error().kind == ErrorKind::NotFound) return std::optional<FileInfo>{};
  return std::move(info).error();
}

Result<std::unique_ptr<FolderLock>> KeyStore::lock() const {
  for (int step = 0;; ++step) {
    auto held = files_->lock(path_of("lock"));
    if (held || held.error().kind != ErrorKind::Locked || step == kLockSteps) return held;
    std::this_thread::sleep_for(kLockStep);
  }
}

}  // namespace stele::api
