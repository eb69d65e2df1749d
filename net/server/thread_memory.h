#pragma once

namespace stele::net {

/// Before the first thread is started: makes what jemalloc keeps for threads. It does so when a thread first needs
/// memory, and if there is none then, that ends the process (5.3: the thread gets no arena, and uses it). This way new
/// threads need nothing beyond their stack, and where that cannot be had, starting them fails. False if it is not all
/// there; true without jemalloc.
[[nodiscard]] bool make_thread_memory();

}  // namespace stele::net
