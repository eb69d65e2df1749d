#pragma once
// Copying from a mapped file whose pages may not be readable.

#include <cstddef>

namespace stele {

/// memcpy(to, from, size), or false if a page of `from` raised SIGBUS (the file shrank, or the device gave EIO); then
/// any part of `to` may have been written. The first call takes over the process's SIGBUS handler; a SIGBUS that no
/// guarded copy caused goes to the handler that was there before. Any thread; not from signal handlers.
[[nodiscard]] bool guarded_copy(void* to, const void* from, std::size_t size);

}  // namespace stele
