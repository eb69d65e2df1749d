// Preloaded into the real binary (LD_PRELOAD) by tests of what a wrong system clock does, and of what takes long: in
// the file that SHIFTED_CLOCK names, the first eight bytes say by how many seconds CLOCK_REALTIME is ahead, the next
// eight by how many CLOCK_MONOTONIC and its coarse one are, now and whenever they change. All other clocks are right.

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

struct Shifts {
  std::int64_t realtime;
  std::int64_t monotonic;  // behind the end of a shorter file there are zeros
};

const volatile Shifts* map_shifts() {
  const char* const path = std::getenv("SHIFTED_CLOCK");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* const place = ::mmap(nullptr, sizeof(Shifts), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return place == MAP_FAILED ? nullptr : static_cast<const volatile Shifts*>(place);
}

std::int64_t shift_of(clockid_t clock) {
  static const volatile Shifts* const shifts = map_shifts();
  if (shifts == nullptr) return 0;
  if (clock == CLOCK_REALTIME) return shifts->realtime;
  return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ? shifts->monotonic : 0;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* to) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, to));
  if (result == 0) to->tv_sec += shift_of(clock);
  return result;
}

// The kernel knows only the right time. What waits already goes on waiting as long as it would have.
extern "C" int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                      const timespec* until) {
  using Wait = int (*)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*);
  static const auto wait = reinterpret_cast<Wait>(::dlsym(RTLD_NEXT, "pthread_cond_clockwait"));
  timespec right = *until;
  right.tv_sec -= shift_of(clock);
  return wait(condition, mutex, clock, &right);
}
