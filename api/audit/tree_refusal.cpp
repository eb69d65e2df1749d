#include "api/audit/tree_refusal.h"

#include <string>

#include "api/http/bounded_read.h"

namespace stele::api {

Problem tree_rebuilding(const TreeProgress& progress) {
  return Problem("tree-rebuilding", "The hashes of the Merkle tree are being made again from the log.")
      .member("progress",
              "{\"size\":" + std::to_string(progress.size) + ",\"of\":" + std::to_string(progress.log_size) + "}")
      .header("Retry-After", "1");
}

Problem tree_refusal(const Error& error, const TreeProgress& progress) {
  return error.kind == ErrorKind::NotReady ? tree_rebuilding(progress) : read_failed();
}

}  // namespace stele::api
