#include "engine/base/guarded_copy.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>

#include "engine/base/check.h"

namespace stele {
namespace {

// What the signal handler may read. Plain data: a thread_local with a constructor must not be touched from a handler.
struct Guard {
  std::uintptr_t begin;  // page-aligned range that may fault; empty when no copy runs
  std::uintptr_t end;
  sigjmp_buf escape;
};
constinit thread_local Guard guard{};

struct sigaction previous_action;
std::uintptr_t page_mask = 0;

void pass_on(int signal_number, siginfo_t* info, void* context) {
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal_number, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal_number);
  } else if (previous_action.sa_handler == SIG_DFL || info->si_code > 0) {
    // A real fault repeats when the handler returns, and then ends the process as it would have without us; one that
    // was sent by somebody is sent again.
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(signal_number, &action, nullptr);
    if (info->si_code <= 0) raise(signal_number);
  }
}

void on_bus_error(int signal_number, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (info->si_code > 0 && address >= guard.begin && address < guard.end) {
    // The jump saves no signal mask (a system call each copy), so the handler puts back the interrupted one itself.
    pthread_sigmask(SIG_SETMASK, &static_cast<ucontext_t*>(context)->uc_sigmask, nullptr);
    siglongjmp(guard.escape, 1);
  }
  pass_on(signal_number, info, context);
}

bool install_handler() {
  page_mask = ~(static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);
  STELE_CHECK(sigaction(SIGBUS, nullptr, &previous_action) == 0);
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  STELE_CHECK(sigaction(SIGBUS, &action, nullptr) == 0);
  return true;
}

}  // namespace

// Between sigsetjmp and the end of the copy nothing with a destructor may live, here or in the frames the jump leaves.
bool guarded_copy(void* to, const void* from, std::size_t size) {
  static const bool installed = install_handler();
  static_cast<void>(installed);
  if (size == 0) return true;
  const auto address = reinterpret_cast<std::uintptr_t>(from);
  if (sigsetjmp(guard.escape, 0) != 0) {
    guard.begin = guard.end = 0;
    return false;
  }
  guard.begin = address & page_mask;
  guard.end = ((address + size - 1) & page_mask) + ~page_mask + 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(to, from, size);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  guard.begin = guard.end = 0;
  return true;
}

}  // namespace stele
