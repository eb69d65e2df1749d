#include "tests/support/loop_disk.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "tests/support/private_mounts.h"
#include "tests/support/server_process.h"

namespace stele::tests {

namespace {

constexpr unsigned long kExt4Shutdown =
    0x8004587d;  // EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32), in no header of user space
constexpr int kDeviceTries = 20;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno) +
                           " (this test mounts a file system on a loop device; leave it out with ctest -LE mount)");
}

/// A file without a name, which goes with the last descriptor.
int make_image(std::uint64_t bytes) {
  std::string name = (std::filesystem::temp_directory_path() / "stele-disk-XXXXXX").string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);  // not O_TMPFILE, which not every file system has
  if (fd < 0) fail("cannot make an image " + name);
  (void)::unlink(name.c_str());
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) fail("cannot extend the image");
  return fd;
}

}  // namespace

LoopDisk::LoopDisk(std::uint64_t bytes) {
  static bool entered = false;
  if (!entered) enter_private_mounts();
  entered = true;
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
