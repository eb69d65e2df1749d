// Does one thing that a worker must not do, after it was confined as a worker is. Exit status 0: it was done; 1: it was
// refused; 2: it could not be tried. Mostly it will be killed.
//   sandbox_probe WHAT

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "net/worker/sandbox.h"

namespace {

struct Deed {
  std::string_view name;
  bool (*done)();
};

bool map(int protection) { return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }

const Deed kDeeds[] = {
    // What a worker does all the time, to see that the others fail for the right reason.
    {"nothing", [] { return true; }},
    {"memory", [] { return map(PROT_READ | PROT_WRITE); }},
    {"write", [] { return ::write(2, "", 0) == 0; }},
    {"open", [] { return ::open("/dev/null", O_RDONLY) >= 0; }},
    {"open-to-write", [] { return ::open("/tmp/stele-sandbox-probe", O_WRONLY | O_CREAT, 0600) >= 0; }},
    {"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; }},
    {"socketpair",
     [] {
       std::array<int, 2> ends{};
       return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0;
     }},
    {"fork", [] { return ::fork() >= 0; }},
    {"exec",
     [] {
       std::array<char*, 1> none{nullptr};
       return ::execve("/bin/true", none.data(), none.data()) == 0;
     }},
    {"thread",
     [] {
       std::thread([] {}).join();
       return true;
     }},
    {"executable-memory", [] { return map(PROT_READ | PROT_EXEC); }},
    {"make-executable",
     [] {
       void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       return ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
     }},
    {"kill", [] { return ::kill(::getppid(), 0) == 0; }},
    {"ptrace", [] { return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr) == 0; }},
    {"raise-limit",
     [] {
       const rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
       return ::setrlimit(RLIMIT_AS, &limit) == 0;
     }},
    {"unlink", [] { return ::unlink("/nonexistent") == 0; }},
    {"dup", [] { return ::dup(0) >= 0; }},
    {"much-memory",
     [] { return ::mmap(nullptr, 1U << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }},
};

/// Whether it can be confined where the kernel (or a container around it) does not let it choose its system calls.
int confine_without_seccomp(bool trusted) {
  const scmp_filter_ctx context = ::seccomp_init(SCMP_ACT_ALLOW);
  if (::seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0) != 0 ||
      ::seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                         scmp_arg_cmp{0, SCMP_CMP_EQ, PR_SET_SECCOMP, 0}) != 0 ||
      ::seccomp_load(context) != 0) {
    return 2;
  }
  stele::net::leave_server();
  const std::string why = stele::net::confine({.memory_bytes_max = 64U << 20, .trusted = trusted});
  if (why.empty()) return 0;
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string_view what = argv[1];
  if (what == "without-seccomp") return confine_without_seccomp(false);
  if (what == "without-seccomp-trusted") return confine_without_seccomp(true);
  for (const Deed& deed : kDeeds) {
    if (deed.name != what) continue;
    stele::net::leave_server();
    if (!stele::net::confine({.memory_bytes_max = 64U << 20, .trusted = false}).empty()) return 2;
    ::_exit(deed.done() ? 0 : 1);
  }
  return 2;
}
