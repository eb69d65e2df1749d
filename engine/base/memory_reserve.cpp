#include "engine/base/memory_reserve.h"

#include <sys/mman.h>

#include <atomic>
#include <new>

namespace stele {
namespace {

std::atomic<void*> reserve{nullptr};
std::atomic<bool> used{false};
std::size_t reserve_bytes = 0;
thread_local bool may_use = false;

/// Writable, because otherwise a strict system would not count it; never written, so that it takes no memory.
void* map_reserve() {
  void* const place = ::mmap(nullptr, reserve_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return place == MAP_FAILED ? nullptr : place;
}

void on_failed_allocation() {
  void* const place = may_use ? reserve.exchange(nullptr) : nullptr;
  if (place == nullptr) throw std::bad_alloc();
  ::munmap(place, reserve_bytes);
  used.store(true, std::memory_order_release);
}

}  // namespace

bool keep_memory_reserve(std::size_t bytes) {
  reserve_bytes = bytes;
  void* const place = map_reserve();
  if (place == nullptr) return false;
  reserve.store(place);
  std::set_new_handler(on_failed_allocation);
  return true;
}

void prepare_thread_memory() {
  char* volatile any = new char[64];  // volatile, so that the compiler does not leave it out
  delete[] any;
}

void may_use_memory_reserve() { may_use = true; }

void restore_memory_reserve() {
  if (!used.load(std::memory_order_relaxed) || !used.exchange(false)) return;
  void* const place = map_reserve();
  if (place == nullptr) {
    used.store(true);
    return;
  }
  reserve.store(place);
}

}  // namespace stele
