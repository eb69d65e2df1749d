// One suite over both file systems, then what only the operating system's can show.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/file_system.h"
#include "tests/engine/opened_file.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/temp_folder.h"

namespace stele {
namespace {

using Names = std::vector<std::string>;

struct Posix {
  test::TempFolder folder;
  FileSystem& files() { return posix_file_system(); }
  std::string root() { return folder.path(); }
};

struct Simulated {
  SimulatedFileSystem disk{1};
  FileSystem& files() { return disk; }
  std::string root() {
    REQUIRE(disk.create_folders("/simulated"));
    return "/simulated";
  }
};

std::string read(const File& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '?');
  REQUIRE(file.read_at(ByteOffset{offset}, bytes));
  return bytes;
}

std::string read(const Mapping& mapping, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '?');
  REQUIRE(mapping.copy_out(ByteOffset{offset}, bytes));
  return bytes;
}

TEST_CASE_TEMPLATE("FileSystem.OpenModesDecideWhatMustExist", Kind, Posix, Simulated) {
  Kind kind;
  FileSystem& files = kind.files();
  const std::string path = kind.root() + "/a";
  CHECK(files.open(path, OpenMode::Read).error().kind == ErrorKind::NotFound);
  const auto missing = files.open(path, OpenMode::ReadWrite);
  CHECK(missing.error().kind == ErrorKind::NotFound);
  CHECK(missing.error().file == path);
  CHECK_FALSE(files.exists(path).value());
  CHECK(opened(files, path, OpenMode::CreateNew)->path() == path);
  CHECK(files.exists(path).value());
  CHECK(files.open(path, OpenMode::CreateNew).error().os_error == EEXIST);
  CHECK(opened(files, path, OpenMode::OpenOrCreate)->size().value() == 0);
  CHECK(files.open(kind.root() + "/none/a", OpenMode::CreateNew).error().kind == ErrorKind::NotFound);
  CHECK(files.open(path + "/a", OpenMode::CreateNew).error().os_error != 0);
  CHECK(files.open(kind.root(), OpenMode::ReadWrite).error().os_error == EISDIR);
}

TEST_CASE_TEMPLATE("FileSystem.WrittenBytesAreReadBack", Kind, Posix, Simulated) {
  Kind kind;
  const std::string path = kind.root() + "/a";
  const auto file = opened(kind.files(), path);
  REQUIRE(file->write_at(ByteOffset{3}, "hello"));
  REQUIRE(file->write_at(ByteOffset{5}, "L"));
  REQUIRE(file->write_at(ByteOffset{0}, ""));
  REQUIRE(file->sync_data());
  CHECK(file->size().value() == 8);
  CHECK(read(*file, 0, 8) == std::string("\0\0\0heLlo", 8));
  CHECK(read(*opened(kind.files(), path, OpenMode::Read), 3, 2) == "he");
  CHECK(read(*file, 8, 0).empty());
}

TEST_CASE_TEMPLATE("FileSystem.ReadingPastTheEndIsCorrupt", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->write_at(ByteOffset{0}, "12345"));
  std::string bytes(4, '?');
  const auto status = file->read_at(ByteOffset{3}, bytes);
  REQUIRE_FALSE(status);
  CHECK(status.error().kind == ErrorKind::Corrupt);
  CHECK(status.error().offset == 5);
  CHECK(file->read_at(ByteOffset{99}, bytes).error().kind == ErrorKind::Corrupt);
}

TEST_CASE_TEMPLATE("FileSystem.AFileOpenedForReadingCannotBeChanged", Kind, Posix, Simulated) {
  Kind kind;
  REQUIRE(opened(kind.files(), kind.root() + "/a")->write_at(ByteOffset{0}, "12345"));
  const auto file = opened(kind.files(), kind.root() + "/a", OpenMode::Read);
  CHECK(file->write_at(ByteOffset{0}, "x").error().kind == ErrorKind::Io);
  CHECK(file->truncate(0).error().kind == ErrorKind::Io);
  CHECK(file->allocate(100).error().kind == ErrorKind::Io);
  CHECK(file->map_writable(5).error().kind == ErrorKind::Io);
  CHECK(read(*file, 0, 5) == "12345");
}

TEST_CASE_TEMPLATE("FileSystem.AllocateExtendsWithZerosAndNeverShrinks", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->allocate(0));
  REQUIRE(file->write_at(ByteOffset{0}, "ab"));
  REQUIRE(file->allocate(5000));
  CHECK(file->size().value() == 5000);
  CHECK(read(*file, 0, 5000) == "ab" + std::string(4998, '\0'));
  REQUIRE(file->allocate(10));
  CHECK(file->size().value() == 5000);
}

TEST_CASE_TEMPLATE("FileSystem.TruncatedBytesDoNotComeBack", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->write_at(ByteOffset{0}, std::string(2000, 'x')));
  REQUIRE(file->truncate(700));
  REQUIRE(file->truncate(2000));
  CHECK(read(*file, 0, 2000) == std::string(700, 'x') + std::string(1300, '\0'));
}

TEST_CASE_TEMPLATE("FileSystem.FoldersAreCreatedWithTheirParents", Kind, Posix, Simulated) {
  Kind kind;
  FileSystem& files = kind.files();
  const std::string root = kind.root();
  REQUIRE(files.create_folders(root + "/a/b//c/"));
  REQUIRE(files.create_folders(root + "/a/b/c"));
  CHECK(files.list(root + "/a").value() == Names{"b"});
  CHECK(files.list(root + "/a/b/c").value().empty());
  opened(files, root + "/file");
  CHECK(files.create_folders(root + "/file").error().os_error == ENOTDIR);
  CHECK(files.create_folders(root + "/file/x").error().os_error == ENOTDIR);
  CHECK_FALSE(files.create_folders(""));
  CHECK(files.list(root + "/none").error().kind == ErrorKind::NotFound);
  CHECK(files.list(root + "/file").error().os_error == ENOTDIR);
  CHECK(files.sync_directory(root + "/none").error().kind == ErrorKind::NotFound);
}

TEST_CASE_TEMPLATE("FileSystem.ALookTellsAFileFromTheOneThatTakesItsPlace", Kind, Posix, Simulated) {
  Kind kind;
  FileSystem& files = kind.files();
  const std::string folder = kind.root() + "/a/private";
  REQUIRE(files.create_private_folder(folder));
  CHECK(files.create_private_folder(folder));
  CHECK(files.look_at(folder).value().permissions == 0700);
  const std::string path = folder + "/secret";
  CHECK(files.look_at(path).error().kind == ErrorKind::NotFound);
  REQUIRE(opened(files, path, OpenMode::CreatePrivate)->write_at(ByteOffset{0}, "old"));
  CHECK_FALSE(files.open(path, OpenMode::CreatePrivate));
  const FileInfo before = files.look_at(path).value();
  CHECK(before.permissions == 0600);
  CHECK(before.size == 3);
  CHECK(files.look_at(path).value() == before);
  REQUIRE(opened(files, path + ".new", OpenMode::CreatePrivate)->write_at(ByteOffset{0}, "new"));
  REQUIRE(files.rename(path + ".new", path));
  CHECK_FALSE(files.look_at(path).value() == before);
}

TEST_CASE_TEMPLATE("FileSystem.ListRenameRemove", Kind, Posix, Simulated) {
  Kind kind;
  FileSystem& files = kind.files();
  const std::string root = kind.root();
  for (const char* name : {"/b", "/a", "/c-1", "/C"}) opened(files, root + name);
  REQUIRE(files.create_folders(root + "/folder"));
  CHECK(files.list(root).value() == Names{"C", "a", "b", "c-1", "folder"});

  const auto file = opened(files, root + "/a");
  REQUIRE(file->write_at(ByteOffset{0}, "from a"));
  REQUIRE(files.rename(root + "/a", root + "/b"));
  REQUIRE(files.remove(root + "/C"));
  REQUIRE(files.sync_directory(root));
  CHECK(files.list(root).value() == Names{"b", "c-1", "folder"});
  CHECK(read(*opened(files, root + "/b"), 0, 6) == "from a");
  CHECK(read(*file, 0, 6) == "from a");
  REQUIRE(files.remove(root + "/b"));
  CHECK(read(*file, 0, 6) == "from a");

  const auto missing = files.remove(root + "/none");
  CHECK(missing.error().kind == ErrorKind::NotFound);
  CHECK(missing.error().file == root + "/none");
  CHECK(files.rename(root + "/none", root + "/x").error().kind == ErrorKind::NotFound);
  CHECK(files.remove(root + "/folder").error().os_error == EISDIR);
}

TEST_CASE_TEMPLATE("FileSystem.MappingsShowLaterWrites", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->allocate(10'000));
  const auto mapping = file->map(9'000).value();
  CHECK(mapping->size() == 9'000);
  CHECK(mapping->writable() == nullptr);
  REQUIRE(file->write_at(ByteOffset{8'990}, "0123456789abc"));
  CHECK(read(*mapping, 8'990, 10) == "0123456789");
  REQUIRE(file->close());
  CHECK(read(*mapping, 8'995, 5) == "56789");
  CHECK(read(*mapping, 9'000, 0).empty());

  std::string bytes(11, '?');
  const auto beyond = mapping->copy_out(ByteOffset{8'990}, bytes);
  CHECK(beyond.error().kind == ErrorKind::Corrupt);
  CHECK(mapping->copy_out(ByteOffset{~0ULL}, bytes).error().kind == ErrorKind::Corrupt);
}

TEST_CASE_TEMPLATE("FileSystem.MappingMoreThanTheFileIsCorruptAndNothingIsFine", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->map(0));
  CHECK(file->map(1).error().kind == ErrorKind::Corrupt);
  CHECK(file->map_writable(1).error().kind == ErrorKind::Corrupt);
  CHECK(read(*file->map(0).value(), 0, 0).empty());
}

TEST_CASE_TEMPLATE("FileSystem.StoresThroughAWritableMappingAreInTheFile", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->write_at(ByteOffset{0}, std::string(1000, 'x')));
  const auto mapping = file->map_writable(1000).value();
  REQUIRE(mapping->writable() != nullptr);
  CHECK(reinterpret_cast<std::uintptr_t>(mapping->writable()) % 8 == 0);
  CHECK(mapping->writable()[999] == 'x');
  mapping->writable()[600] = 'y';
  CHECK(read(*file, 599, 3) == "xyx");
  CHECK(read(*mapping, 599, 3) == "xyx");
  REQUIRE(file->write_at(ByteOffset{601}, "z"));
  CHECK(mapping->writable()[601] == 'z');
  REQUIRE(file->sync_data());
  CHECK(read(*opened(kind.files(), kind.root() + "/a"), 599, 3) == "xyz");
}

TEST_CASE_TEMPLATE("FileSystem.APageCutOffUnderAMappingIsAnIoError", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->write_at(ByteOffset{0}, std::string(100'000, 'x')));
  const auto mapping = file->map(100'000).value();
  REQUIRE(file->truncate(4096));
  for (int repeat = 0; repeat < 3; ++repeat) {
    std::string bytes(90'000, '?');
    const auto status = mapping->copy_out(ByteOffset{4000}, bytes);
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == ErrorKind::Io);
    CHECK(status.error().os_error == EIO);
    CHECK(status.error().file == file->path());
    CHECK(read(*mapping, 0, 4096) == std::string(4096, 'x'));
  }
}

TEST_CASE_TEMPLATE("FileSystem.ASecondLockIsLockedAndNamesTheHolder", Kind, Posix, Simulated) {
  Kind kind;
  FileSystem& files = kind.files();
  const std::string path = kind.root() + "/lock";
  {
    const auto lock = files.lock(path);
    REQUIRE(lock);
    const auto second = files.lock(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::Locked);
    CHECK(second.error().file == path);
    CHECK(second.error().message.find("process " + std::to_string(::getpid())) != std::string::npos);
  }
  CHECK(files.lock(path));
  CHECK_FALSE(files.lock(kind.root() + "/none/lock"));
}

TEST_CASE_TEMPLATE("FileSystem.TheLockOfAFileIsHeldUntilItIsClosed", Kind, Posix, Simulated) {
  Kind kind;
  const std::string path = kind.root() + "/a";
  const auto first = opened(kind.files(), path);
  const auto second = opened(kind.files(), path);
  REQUIRE(first->write_at(ByteOffset{0}, "abc"));
  const auto mapping = first->map(3).value();  // which outlives the lock
  CHECK(first->lock());
  CHECK(first->lock());  // its own already
  CHECK(second->lock().error().kind == ErrorKind::Locked);
  CHECK(second->write_at(ByteOffset{0}, "x"));  // only those who ask are refused
  REQUIRE(kind.files().rename(path, kind.root() + "/b"));
  CHECK(opened(kind.files(), kind.root() + "/b")->lock().error().kind == ErrorKind::Locked);
  CHECK(opened(kind.files(), path)->lock());  // another file of the same name
  REQUIRE(first->close());
  CHECK(second->lock());
}

TEST_CASE_TEMPLATE("FileSystem.AnOpenFileCanBeRenamed", Kind, Posix, Simulated) {
  Kind kind;
  const std::string path = kind.root() + "/a";
  const std::string renamed = kind.root() + "/b";
  const auto file = opened(kind.files(), path);
  REQUIRE(file->lock());
  REQUIRE(file->rename(renamed));
  CHECK(file->path() == renamed);
  CHECK(file->about().value().is_same_file(kind.files().look_at(renamed).value()));
  CHECK_FALSE(kind.files().exists(path).value());
  CHECK(file->write_at(ByteOffset{0}, "abc"));
  CHECK(opened(kind.files(), renamed)->lock().error().kind == ErrorKind::Locked);
  CHECK(file->rename(kind.root() + "/none/c").error().kind == ErrorKind::NotFound);
  CHECK(file->path() == renamed);
}

TEST_CASE_TEMPLATE("FileSystem.AnOpenFileTellsWhetherItsNamesStillMeanIt", Kind, Posix, Simulated) {
  Kind kind;
  FileSystem& files = kind.files();
  const std::string path = kind.root() + "/a";
  const auto file = opened(files, path);
  REQUIRE(file->write_at(ByteOffset{0}, "abc"));
  const FileInfo before = file->about().value();
  CHECK(before.size == 3);
  CHECK(before.links == 1);
  CHECK(before.is_same_file(files.look_at(path).value()));
  REQUIRE(files.rename(path, kind.root() + "/b"));
  CHECK(before.is_same_file(files.look_at(kind.root() + "/b").value()));
  const auto other = opened(files, path);
  CHECK_FALSE(before.is_same_file(other->about().value()));
  REQUIRE(files.rename(path, kind.root() + "/b"));  // over it
  CHECK(file->about().value().links == 0);
  CHECK(before.is_same_file(file->about().value()));
  CHECK(other->about().value().links == 1);
}

TEST_CASE_TEMPLATE("FileSystem.AClosedFileRefusesEverything", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->close());
  CHECK(file->write_at(ByteOffset{0}, "x").error().kind == ErrorKind::Io);
  CHECK(file->sync_data().error().kind == ErrorKind::Io);
  CHECK_FALSE(file->size());
  CHECK(file->close());
}

TEST_CASE_TEMPLATE("FileSystem.ReadersRunBesideTheWriter", Kind, Posix, Simulated) {
  Kind kind;
  const auto file = opened(kind.files(), kind.root() + "/a");
  REQUIRE(file->allocate(64 * 1024));
  const std::shared_ptr<Mapping> mapping = file->map(64 * 1024).value();
  std::atomic<std::uint64_t> written{0};
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        while (written.load() < 64) {
          const std::uint64_t blocks = written.load();
          if (blocks == 0) continue;
          std::string bytes(1024, '?');
          const bool good = mapping->copy_out(ByteOffset{(blocks - 1) * 1024}, bytes).has_value();
          if (!good || bytes != std::string(1024, 'x')) ++wrong;
        }
      });
    }
    for (std::uint64_t i = 0; i < 64; ++i) {
      if (!file->write_at(ByteOffset{i * 1024}, std::string(1024, 'x')) || !file->sync_data()) ++wrong;
      written.store(i + 1);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("PosixFileSystem.PageErrorsInManyThreadsStayWhereTheyHappen") {
  test::TempFolder folder;
  const auto file = opened(posix_file_system(), folder.file("a"));
  REQUIRE(file->write_at(ByteOffset{0}, std::string(64 * 1024, 'x')));
  const auto mapping = file->map(64 * 1024).value();
  REQUIRE(file->truncate(32 * 1024));
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          std::string bytes(1000, '?');
          const bool cut = (i + t) % 2 == 0;
          const auto status = mapping->copy_out(ByteOffset{cut ? 40'000U : 20'000U}, bytes);
          if (status.has_value() == cut) ++wrong;
          if (!cut && bytes != std::string(1000, 'x')) ++wrong;
        }
      });
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("PosixFileSystem.ALockHeldByAnotherProcessIsNamedAndGoesWithIt") {
  test::TempFolder folder;
  const std::string path = folder.file("lock");
  int to_parent[2];
  int to_child[2];
  REQUIRE(::pipe(to_parent) == 0);
  REQUIRE(::pipe(to_child) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(to_child[1]);
    const auto lock = posix_file_system().lock(path);
    char byte = lock ? 'y' : 'n';
    if (::write(to_parent[1], &byte, 1) != 1) ::_exit(1);
    static_cast<void>(::read(to_child[0], &byte, 1) < 0);  // until the parent closes its end, or dies
    ::_exit(0);                                            // without the destructor, as kill -9 would
  }
  char byte = 0;
  REQUIRE(::read(to_parent[0], &byte, 1) == 1);
  CHECK(byte == 'y');
  const auto refused = posix_file_system().lock(path);
  ::close(to_child[1]);
  CHECK(::waitpid(child, nullptr, 0) == child);
  for (const int fd : {to_parent[0], to_parent[1], to_child[0]}) ::close(fd);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Locked);
  CHECK(refused.error().message.find("process " + std::to_string(child)) != std::string::npos);
  CHECK(posix_file_system().lock(path));
}

TEST_CASE("PosixFileSystem.WithTheLockFileGoneTheFolderIsStillLocked") {
  test::TempFolder folder;
  const std::string path = folder.file("lock");
  const auto lock = posix_file_system().lock(path).value();
  CHECK(lock->held().weakness.empty());
  CHECK(lock->held().lock_file.is_same_file(posix_file_system().look_at(path).value()));
  CHECK(lock->held().folder.is_same_file(posix_file_system().look_at(folder.path()).value()));
  REQUIRE(posix_file_system().remove(path));
  CHECK(posix_file_system().lock(path).error().kind == ErrorKind::Locked);
  CHECK_FALSE(posix_file_system().exists(path).value());  // whoever is refused leaves nothing behind
}

TEST_CASE("PosixFileSystem.NothingGetsTheNumberOfAClosedStandardDescriptor") {
  test::TempFolder folder;
  const std::string path = folder.file("a");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    FileSystem& files = posix_file_system();
    for (int fd = 0; fd < 3; ++fd) ::close(fd);
    const auto file = files.open(path, OpenMode::CreateNew);
    const auto lock = files.lock(folder.file("lock"));
    const bool all = file && lock && files.list(folder.path()) && files.sync_directory(folder.path());
    bool low = false;
    for (int fd = 0; fd < 3; ++fd) low = low || ::fcntl(fd, F_GETFD) != -1;
    ::_exit(all ? (low ? 1 : 0) : 2);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("PosixFileSystem.NewFilesAndFoldersAreNotForEveryone") {
  test::TempFolder folder;
  REQUIRE(posix_file_system().create_folders(folder.file("f")));
  opened(posix_file_system(), folder.file("f/a"), OpenMode::CreateNew);
  const auto others = std::filesystem::perms::others_all | std::filesystem::perms::group_write;
  for (const char* name : {"f", "f/a"}) {
    const auto about = std::filesystem::status(folder.file(name)).permissions();
    CHECK((about & others) == std::filesystem::perms::none);
  }
}

}  // namespace
}  // namespace stele
