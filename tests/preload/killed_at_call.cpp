// Preloaded into the real binary (LD_PRELOAD) by tests that kill it at a call of their choice: the first eight bytes of
// the file that KILLED_AT_CALL names hold a number that each call that changes the disk counts down, and the process is
// killed before the call that brings it to 0. While it is 0 or less nothing happens.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

std::int64_t* map_number() {
  const char* const path = std::getenv("KILLED_AT_CALL");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* const place = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return place == MAP_FAILED ? nullptr : static_cast<std::int64_t*>(place);
}

void count() {
  static std::int64_t* const number = map_number();
  if (number == nullptr) return;
  const std::atomic_ref left(*number);
  if (left.load() > 0 && left.fetch_sub(1) == 1) ::kill(::getpid(), SIGKILL);
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t length, off_t offset) {
  static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  count();
  return next(fd, bytes, length, offset);
}

int fdatasync(int fd) {
  static auto* const next = real<int(int)>("fdatasync");
  count();
  return next(fd);
}

int fsync(int fd) {
  static auto* const next = real<int(int)>("fsync");
  count();
  return next(fd);
}

int ftruncate(int fd, off_t length) noexcept {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  count();
  return next(fd, length);
}

int rename(const char* from, const char* to) noexcept {
  static auto* const next = real<int(const char*, const char*)>("rename");
  count();
  return next(from, to);
}

int unlink(const char* path) noexcept {
  static auto* const next = real<int(const char*)>("unlink");
  count();
  return next(path);
}
}
