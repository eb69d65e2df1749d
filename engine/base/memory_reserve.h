#pragma once
// Memory kept back for the threads that cannot refuse their work, so that where the system gives no more (ulimit -v,
// strict overcommit) requests are refused and the log goes on.

#include <cstddef>

namespace stele {

/// Keeps so many bytes of address space back, and takes over std::new_handler: an allocation that fails on a thread
/// that may use the reserve gets it and is tried again, on others it throws std::bad_alloc as always. False if there is
/// not so much. Call it once, before any other thread begins. Takes no memory as long as it is not used.
bool keep_memory_reserve(std::size_t bytes);

/// Lets the allocator set up what it keeps for the calling thread. To be called as the first thing a thread does:
/// jemalloc ends the process where it has no memory for that any more.
void prepare_thread_memory();

/// The calling thread may use the reserve from now on.
void may_use_memory_reserve();
/// Keeps the bytes back again if they were used, as soon as they can be had. Cheap if they were not.
void restore_memory_reserve();

}  // namespace stele
