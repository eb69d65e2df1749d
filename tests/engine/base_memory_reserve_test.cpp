// A sanitizer takes far more address space, and ends the process where memory runs out.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include "engine/base/memory_reserve.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <new>
#include <vector>

using namespace stele;

namespace {

/// Bytes of address space this process has: whatever ran here before may have left any amount.
std::size_t address_space() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Takes memory until there is none left.
void exhaust(std::vector<char*>& taken) {
  for (std::size_t size = 1 << 20; size >= 64; size /= 2) {
    while (char* const more = new (std::nothrow) char[size]) taken.push_back(more);
  }
}

/// In a process of its own, which has hardly more address space than it has now. 0 if all is as it should be.
int trial() {
  if (!keep_memory_reserve(32 << 20)) return 1;
  std::vector<char*> taken;
  taken.reserve(16 << 20);
  rlimit before{};
  if (::getrlimit(RLIMIT_AS, &before) != 0) return 2;
  const rlimit tight{address_space() + (64 << 20), before.rlim_max};
  if (::setrlimit(RLIMIT_AS, &tight) != 0) return 2;
  exhaust(taken);
  // Volatile: what nobody uses, a compiler need not allocate.
  const auto get = [](std::size_t size) {
    char* volatile made = nullptr;
    try {
      made = new char[size];
    } catch (const std::bad_alloc&) {
    }
    return made;
  };
  if (get(8 << 20) != nullptr) return 3;  // this thread may not use the reserve
  may_use_memory_reserve();
  if (get(8 << 20) == nullptr) return 4;
  // Used once, it is gone until there is memory again.
  exhaust(taken);
  if (get(8 << 20) != nullptr) return 5;
  restore_memory_reserve();
  if (get(8 << 20) != nullptr) return 6;
  if (::setrlimit(RLIMIT_AS, &before) != 0) return 7;
  restore_memory_reserve();
  return get(8 << 20) == nullptr ? 8 : 0;
}

}  // namespace

TEST_CASE("MemoryReserve.IsForThoseThatMayUseIt") {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(trial());
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
