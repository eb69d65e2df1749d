#pragma once
// How often events met schemas and upcasters, for /metrics. Added to once for a request or a page, so that threads
// seldom meet here.

#include <atomic>
#include <cstdint>

namespace stele::api {

using SchemaCount = std::atomic<std::uint64_t>;

inline void add_to(SchemaCount& count, std::uint64_t more) {
  if (more != 0) count.fetch_add(more, std::memory_order_relaxed);
}

/// Events on their way in.
struct ValidationCounts {
  SchemaCount valid{0};
  SchemaCount invalid{0};
  SchemaCount unknown_version{0};
  SchemaCount too_much_work{0};
};

/// Events from one version to the next.
struct UpcastCounts {
  struct Steps {
    SchemaCount done{0};
    SchemaCount failed{0};
    SchemaCount passing{0};  ///< there was no time, or nothing that could run them
  };
  Steps operations;
  Steps scripts;
};

}  // namespace stele::api
