#pragma once
// CPU time of other processes, read from /proc.

#include <cstdint>
#include <optional>
#include <vector>

namespace stele::bench {

/// User and system time of all threads of a process since its start, in microseconds (to the kernel's clock tick); none
/// if there is no such process.
[[nodiscard]] std::optional<std::int64_t> process_cpu_micros(int pid);

/// The sum over several processes; none if one of them is missing.
[[nodiscard]] std::optional<std::int64_t> processes_cpu_micros(const std::vector<int>& pids);

/// The same of this process.
[[nodiscard]] std::int64_t own_cpu_micros();

}  // namespace stele::bench
