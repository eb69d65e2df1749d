// Preloaded into the real binary (LD_PRELOAD) by tests of what a wrong system clock does: CLOCK_REALTIME is ahead by as
// many seconds as the first eight bytes of the file that SHIFTED_CLOCK names hold, now and whenever they change. All
// other clocks are right.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

const volatile std::int64_t* map_shift() {
  const char* const path = std::getenv("SHIFTED_CLOCK");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* const place = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return place == MAP_FAILED ? nullptr : static_cast<const volatile std::int64_t*>(place);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* to) noexcept {
  static const volatile std::int64_t* const shift = map_shift();
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, to));
  if (result == 0 && clock == CLOCK_REALTIME && shift != nullptr) to->tv_sec += *shift;
  return result;
}
