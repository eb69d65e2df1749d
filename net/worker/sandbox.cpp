#include "net/worker/sandbox.h"

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define STELE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STELE_SANITIZED 1
#endif

namespace stele::net {

namespace {

/// 0, 1, 2 and the socket.
constexpr rlim_t kDescriptors = 4;
/// Of the thread that runs scripts. What the engine uses of it is less (script_realms.cpp).
constexpr rlim_t kProcessStackBytes = 8U << 20;

std::string because(std::string_view what, int error) { return std::string(what) + ": " + std::strerror(error); }

/// Lowers a limit, soft and hard; what is lower already stays.
bool lower(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return false;
  limit.rlim_max = std::min(limit.rlim_max, value);
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(resource, &limit) == 0;
}

/// Address space in use.
std::optional<std::uint64_t> address_space_bytes() {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, 128> text{};
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  std::uint64_t pages = 0;
  if (got <= 0 || std::from_chars(text.data(), text.data() + got, pages).ec != std::errc()) return std::nullopt;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Whatever of these is not needed any more is one way less out of the process. What is not here ends it.
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_KILL_PROCESS)) {}
  ~Filter() {
    if (context_ != nullptr) ::seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  /// 0, or an errno.
  int load() {
    if (context_ == nullptr) return ENOSYS;  // it does not say why, and this is the likely reason
    // The socket; stderr is /dev/null.
    for (const int call : {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
                           SCMP_SYS(poll), SCMP_SYS(ppoll)}) {
      allow(call);
    }
    // Memory.
    for (const int call : {SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk)}) allow(call);
    // Their third argument, with nothing of PROT_EXEC in it.
    const scmp_arg_cmp never_executable{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
    allow(SCMP_SYS(mmap), never_executable);
    allow(SCMP_SYS(mprotect), never_executable);
    // Threads that there are; clocks (the engine's garbage collector also looks at how much it has used); the end.
    for (const int call : {SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
                           SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
                           SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getrusage), SCMP_SYS(getpid),
                           SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group)}) {
      allow(call);
    }
    allow(SCMP_SYS(getrandom));  // seeds of hash tables
    // Threads that were started and have not come to run yet.
    for (const int call : {SCMP_SYS(rseq), SCMP_SYS(set_robust_list)}) allow(call);
    allow(SCMP_SYS(prctl), scmp_arg_cmp{0, SCMP_CMP_EQ, PR_SET_NAME, 0});
    // abort(), to nobody else.
    const auto self = static_cast<scmp_datum_t>(::getpid());
    allow(SCMP_SYS(tgkill), scmp_arg_cmp{0, SCMP_CMP_EQ, self, 0});
    // What the C library tries in passing, and can do without.
    for (const int call : {SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(ioctl), SCMP_SYS(lseek)}) refuse(call);
    if (error_ == 0) error_ = -::seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1);
    if (error_ == 0) error_ = -::seccomp_load(context_);
    return error_;
  }

 private:
  template <class... Conditions>
  void allow(int call, Conditions... conditions) {
    if (error_ == 0) error_ = -::seccomp_rule_add(context_, SCMP_ACT_ALLOW, call, sizeof...(conditions), conditions...);
  }
  void refuse(int call) {
    if (error_ == 0) error_ = -::seccomp_rule_add(context_, SCMP_ACT_ERRNO(EPERM), call, 0);
  }

  scmp_filter_ctx context_;
  int error_ = 0;
};

}  // namespace

bool can_confine() {
#ifdef STELE_SANITIZED
  return false;
#else
  return true;
#endif
}

void leave_server() {
  // If the machine runs out of memory, let it be this process that goes. Later the file is not the process's own.
  if (const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    (void)(::write(fd, "1000", 4) < 0);
    ::close(fd);
  }
  (void)::prctl(PR_SET_NAME, "stele-worker");  // or it is called "exe", as it was started
  // The end of the socket says so too, but only to who reads it.
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)::prctl(PR_SET_DUMPABLE, 0);
  (void)lower(RLIMIT_CORE, 0);
  (void)lower(RLIMIT_FSIZE, 0);
  // The server's own may be anything.
  rlimit stack{};
  if (::getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur < kProcessStackBytes) {
    stack.rlim_cur = std::min(kProcessStackBytes, stack.rlim_max);
    (void)::setrlimit(RLIMIT_STACK, &stack);
  }
}

std::string confine(const SandboxLimits& limits) {
  // The engine has handlers of its own, which ask for more than they will get.
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT}) (void)::signal(number, SIG_DFL);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return because("no_new_privs", errno);
  if (!can_confine()) return {};
  const auto used = address_space_bytes();
  if (!used) return "it cannot be seen how much memory the process uses (/proc)";
  if (!lower(RLIMIT_AS, *used + limits.memory_bytes_max)) return because("RLIMIT_AS", errno);
  if (!lower(RLIMIT_NOFILE, kDescriptors)) return because("RLIMIT_NOFILE", errno);
  if (const int error = Filter().load(); error != 0 && !limits.trusted) {
    return because("the kernel cannot restrict system calls (seccomp)", error);
  }
  return {};
}

}  // namespace stele::net
