#include "net/server/thread_memory.h"

#include <cstddef>

// Of jemalloc, where it is linked; see jemalloc(3).
extern "C" {
[[gnu::weak]] int mallctl(const char* name, void* old_value, std::size_t* old_bytes, void* new_value,
                          std::size_t new_bytes) noexcept;
[[gnu::weak]] void* mallocx(std::size_t bytes, int flags) noexcept;
[[gnu::weak]] void dallocx(void* place, int flags) noexcept;
}

namespace stele::net {

namespace {

/// The caches of all threads are kept in the first arena.
constexpr std::size_t kFirstArenaBytes = 1U << 20;
constexpr std::size_t kArenaBytes = 64U << 10;

/// MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE
int flags_of(unsigned arena) { return static_cast<int>(((arena + 1) << 20) | (1U << 8)); }

}  // namespace

bool make_thread_memory() {
  if (mallctl == nullptr || mallocx == nullptr || dallocx == nullptr) return true;
  unsigned arenas = 0, own = 0;
  std::size_t bytes = sizeof arenas;
  if (mallctl("opt.narenas", &arenas, &bytes, nullptr, 0) != 0) return true;
  if (mallctl("thread.arena", &own, &bytes, nullptr, 0) != 0) return true;
  bool are_made = true;
  for (unsigned arena = 0; are_made && arena < arenas; ++arena) {
    // To use an arena makes it; what was allocated stays its address space.
    are_made = mallctl("thread.arena", nullptr, nullptr, &arena, sizeof arena) == 0;
    void* const place = are_made ? mallocx(arena == 0 ? kFirstArenaBytes : kArenaBytes, flags_of(arena)) : nullptr;
    are_made = place != nullptr;
    if (are_made) dallocx(place, flags_of(arena));
  }
  (void)mallctl("thread.arena", nullptr, nullptr, &own, sizeof own);
  return are_made;
}

}  // namespace stele::net
