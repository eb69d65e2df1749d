#include "tests/support/loop_disk.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/support/server_process.h"

namespace stele::tests {

namespace {

constexpr unsigned long kExt4Shutdown =
    0x8004587d;  // EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32), in no header of user space
constexpr int kDeviceTries = 20;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno) +
                           " (this test needs root and a free loop device; leave it out with ctest -LE root)");
}

/// A file without a name, which goes with the last descriptor.
int make_image(std::uint64_t bytes) {
  const std::string folder = std::filesystem::temp_directory_path().string();
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) fail("cannot make an image in " + folder);
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) fail("cannot extend the image");
  return fd;
}

/// Once a process: mounts made from now on are seen by it and its children only, and go with them.
void enter_mount_namespace() {
  static bool entered = false;
  if (entered) return;
  if (::unshare(CLONE_NEWNS) != 0) fail("cannot make a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("cannot keep mounts private");
  entered = true;
}

}  // namespace

LoopDisk::LoopDisk(std::uint64_t bytes) {
  if (::geteuid() != 0) {
    errno = EPERM;
    fail("cannot mount a file system");
  }
  enter_mount_namespace();
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) fail("cannot open /dev/loop-control");
  const int image = make_image(bytes);
  loop_config config{};
  config.fd = static_cast<__u32>(image);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  for (int i = 0; device_fd_ < 0 && i < kDeviceTries; ++i) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) fail("no free loop device");
    device_ = "/dev/loop" + std::to_string(number);
    device_fd_ = ::open(device_.c_str(), O_RDWR | O_CLOEXEC);
    if (device_fd_ < 0) fail("cannot open " + device_);
    if (::ioctl(device_fd_, LOOP_CONFIGURE, &config) == 0) break;
    ::close(device_fd_);
    device_fd_ = -1;
    if (errno != EBUSY) fail("cannot set up " + device_);  // EBUSY: somebody else was faster
  }
  ::close(image);
  ::close(control);
  if (device_fd_ < 0) fail("no free loop device");
  const ProcessResult made = run_process({"/sbin/mkfs.ext4", "-q", "-F", device_});
  if (made.exit_code != 0) throw std::runtime_error("mkfs.ext4 failed: " + made.err);
  mount();
}

LoopDisk::~LoopDisk() {
  (void)::umount2(path().c_str(), MNT_DETACH);
  ::close(device_fd_);
}

void LoopDisk::mount() {
  if (::mount(device_.c_str(), path().c_str(), "ext4", 0, "") != 0) fail("cannot mount " + device_);
}

void LoopDisk::cut_power(Cut how) {
  const int folder = ::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail("cannot open the mounted folder");
  auto flags = static_cast<std::uint32_t>(how);
  const int code = ::ioctl(folder, kExt4Shutdown, &flags);
  ::close(folder);
  if (code != 0) fail("cannot shut the file system down");
}

void LoopDisk::remount() {
  if (::umount2(path().c_str(), 0) != 0) fail("cannot unmount");
  mount();
}

}  // namespace stele::tests
