#pragma once
// What `stele worker` does: serves one server, over one socket, one fold after another.

namespace stele::net {

/// Returns the exit code when the server is gone. `socket` is one end of a socket pair of streams. Everything else of
/// the process is given up (sandbox.h).
[[nodiscard]] int run_worker(int socket);

}  // namespace stele::net
