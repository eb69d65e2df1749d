#include "bench/process_cpu.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace stele::bench {

std::optional<std::int64_t> process_cpu_micros(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The second field is the command in brackets and may hold anything, so counting starts behind its last bracket.
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(bracket + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::int64_t user_ticks = 0;
  std::int64_t system_ticks = 0;
  if (!(fields >> user_ticks >> system_ticks)) return std::nullopt;
  return (user_ticks + system_ticks) * 1'000'000 / sysconf(_SC_CLK_TCK);
}

std::optional<std::int64_t> processes_cpu_micros(const std::vector<int>& pids) {
  std::int64_t sum = 0;
  for (const int pid : pids) {
    const auto micros = process_cpu_micros(pid);
    if (!micros) return std::nullopt;
    sum += *micros;
  }
  return sum;
}

std::int64_t own_cpu_micros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) { return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

}  // namespace stele::bench
