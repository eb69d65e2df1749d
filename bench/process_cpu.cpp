#include "bench/process_cpu.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unordered_map>

namespace stele::bench {
namespace {

struct ProcessStat {
  int parent = 0;
  std::int64_t waited_ticks = 0;  ///< of children that have ended
};

/// The stat file has this in ticks of 10 ms only, which is nothing where hundreds of processes share the work.
std::int64_t cpu_micros(int pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

std::optional<ProcessStat> read_stat(const std::filesystem::path& folder) {
  std::ifstream file(folder / "stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The second field is the command in brackets and may hold anything, so counting starts behind its last bracket.
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(bracket + 1));
  std::string skipped;
  ProcessStat stat;
  fields >> skipped >> stat.parent;
  for (int field = 5; field < 16; ++field) fields >> skipped;
  std::int64_t user_ticks = 0;
  std::int64_t system_ticks = 0;
  fields >> user_ticks >> system_ticks;
  stat.waited_ticks = user_ticks + system_ticks;
  if (!fields) return std::nullopt;
  return stat;
}

}  // namespace

std::optional<std::int64_t> process_tree_cpu_micros(int pid) {
  std::unordered_map<int, ProcessStat> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc{} || end != name.data() + name.size()) continue;
    if (const auto stat = read_stat(entry.path())) all.emplace(number, *stat);
  }
  if (!all.contains(pid)) return std::nullopt;
  std::int64_t micros = 0;
  for (const auto& [number, stat] : all) {
    int ancestor = number;
    while (ancestor != pid && ancestor > 1) {
      const auto found = all.find(ancestor);
      ancestor = found == all.end() ? 0 : found->second.parent;
    }
    if (ancestor == pid) micros += cpu_micros(number) + stat.waited_ticks * 1'000'000 / sysconf(_SC_CLK_TCK);
  }
  return micros;
}

std::int64_t own_cpu_micros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) { return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

}  // namespace stele::bench
