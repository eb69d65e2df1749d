#include "tests/support/private_mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace stele::tests {

namespace {

[[noreturn]] void fail(const char* what) { throw std::runtime_error(std::string(what) + ": " + std::strerror(errno)); }

int open_to_keep(const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

}  // namespace

void enter_private_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) fail("cannot make a mount namespace");
  // What is mounted below a shared mount is seen by all who share it, so all mounts are made private. In a chroot that
  // one may have no name: "/" is just a folder of it. setns(2) leads to the root of the namespace, where each has one.
  const std::array kept{open_to_keep("/proc/self/ns/mnt", O_RDONLY), open_to_keep("/", O_PATH | O_DIRECTORY),
                        open_to_keep(".", O_PATH | O_DIRECTORY)};
  const auto& [space, root, folder] = kept;
  if (::setns(space, CLONE_NEWNS) != 0) fail("cannot go to the root of the mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("cannot keep mounts private");
  if (::fchdir(root) != 0 || ::chroot(".") != 0 || ::fchdir(folder) != 0) fail("cannot go back to the own root");
  for (const int fd : kept) ::close(fd);
}

}  // namespace stele::tests
