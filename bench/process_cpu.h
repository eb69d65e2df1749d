#pragma once
// CPU time of other processes.

#include <cstdint>
#include <optional>
#include <vector>

namespace stele::bench {

/// User and system time of a process and all its descendants since their start, in microseconds; those that have ended
/// count once their parent has waited for them, to the kernel's clock tick. None if there is no such process.
[[nodiscard]] std::optional<std::int64_t> process_tree_cpu_micros(int pid);

/// The same of this process alone.
[[nodiscard]] std::int64_t own_cpu_micros();

}  // namespace stele::bench
