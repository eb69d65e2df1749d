#pragma once
// What the operating system says of this process.

#include <cstdint>

namespace stele::api {

/// A value that cannot be found out is 0.
struct ProcessMetrics {
  double cpu_seconds = 0;         ///< user and system
  double start_time_seconds = 0;  ///< since 1970
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t files_max = 0;
  std::uint64_t threads = 0;
};

/// Reads /proc. Any thread.
[[nodiscard]] ProcessMetrics process_metrics();

}  // namespace stele::api
