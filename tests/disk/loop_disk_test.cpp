// The disk that the other tests here break, and that nothing of it is seen outside. The first case is also how
// tools/test finds out whether such a disk can be made.

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>

#include "tests/support/loop_disk.h"
#include "tests/support/private_mounts.h"

using namespace stele::tests;

namespace {

void must(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

/// Whether `steps` come to their end, in a process of their own.
bool in_a_child(const std::function<void()>& steps) {
  const pid_t child = ::fork();
  must(child >= 0, "fork");
  if (child == 0) {
    try {
      steps();
    } catch (const std::exception& error) {
      (void)std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  must(::waitpid(child, &status, 0) == child, "waitpid");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool is_mount_point(const std::string& path) {
  struct stat own {
  }, above{};
  must(::stat(path.c_str(), &own) == 0 && ::stat((path + "/..").c_str(), &above) == 0, "stat");
  return own.st_dev != above.st_dev;
}

}  // namespace

TEST_CASE("LoopDisk.CanBeMadeCutAndMountedAgain") {
  LoopDisk disk(32ULL << 20);
  const std::string file = disk.path() + "/file";
  CHECK((std::ofstream(file) << "text").flush());
  disk.cut_power(LoopDisk::Cut::Journal);
  CHECK_FALSE((std::ofstream(file) << "other").flush());
  disk.remount();
  CHECK(std::filesystem::exists(file));
}

TEST_CASE("PrivateMounts.AreNotSeenOutsideOfAChrootThatIsAFolderOfASharedMount") {
  const TempFolder folder;
  for (const char* name : {"shared", "shared/root", "shared/root/proc", "shared/root/inside"}) {
    REQUIRE(std::filesystem::create_directory(folder.file(name)));
  }
  CHECK(in_a_child([&] {
    enter_private_mounts();
    const std::string shared = folder.file("shared"), root = shared + "/root";
    must(::mount(shared.c_str(), shared.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind");
    must(::mount(nullptr, shared.c_str(), nullptr, MS_SHARED, nullptr) == 0, "share");
    must(::mount("/proc", (root + "/proc").c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, "bind /proc");
    must(in_a_child([&] {
           must(::chroot(root.c_str()) == 0 && ::chdir("/inside") == 0, "chroot");
           enter_private_mounts();
           must(!std::filesystem::exists(root), "still in the chroot");
           must(std::filesystem::current_path() == "/inside", "still in the folder");
           must(::mount("none", "/inside", "tmpfs", 0, nullptr) == 0, "mount");
           must(is_mount_point("/inside"), "mounted");
           // Before this process and its mounts go.
           must(!is_mount_point("/proc/" + std::to_string(::getppid()) + "/root" + root + "/inside"), "seen outside");
         }),
         "the process in the chroot");
  }));
}
