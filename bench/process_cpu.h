#pragma once
// CPU time of other processes, read from /proc.

#include <cstdint>
#include <optional>
#include <vector>

namespace stele::bench {

/// User and system time of a process and all its descendants since their start, in microseconds (to the kernel's clock
/// tick); those that have ended count once their parent has waited for them. None if there is no such process.
[[nodiscard]] std::optional<std::int64_t> process_tree_cpu_micros(int pid);

/// The same of this process alone.
[[nodiscard]] std::int64_t own_cpu_micros();

}  // namespace stele::bench
