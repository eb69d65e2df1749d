#include "api/operations/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace stele::api {

namespace {

std::uint64_t count_open_files() {
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::uint64_t entries = 0;
  while (::readdir(folder) != nullptr) ++entries;
  ::closedir(folder);
  return entries > 3 ? entries - 3 : 0;  // ".", ".." and the folder's own
}

/// Seconds since 1970 at which the machine was started.
double boot_time() {
  std::ifstream in("/proc/stat");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

}  // namespace

ProcessMetrics process_metrics() {
  ProcessMetrics metrics;
  std::ifstream in("/proc/self/stat");
  const std::string stat{std::istreambuf_iterator<char>(in), {}};
  // The name in parentheses may hold anything; the fields behind it are counted from 3 in proc(5).
  if (const std::size_t name_end = stat.rfind(')'); name_end != std::string::npos) {
    std::istringstream fields(stat.substr(name_end + 1));
    std::string skipped;
    const auto skip = [&](int count) {
      for (int i = 0; i < count; ++i) fields >> skipped;
    };
    std::uint64_t user = 0, system = 0, started = 0, resident_pages = 0;
    skip(11);
    fields >> user >> system;  // 14, 15
    skip(4);
    fields >> metrics.threads;  // 20
    skip(1);
    fields >> started >> metrics.virtual_bytes >> resident_pages;  // 22, 23, 24
    if (fields) {
      const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
      metrics.cpu_seconds = static_cast<double>(user + system) / ticks;
      metrics.start_time_seconds = boot_time() + static_cast<double>(started) / ticks;
      metrics.resident_bytes = resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    }
  }
  metrics.open_files = count_open_files();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) metrics.files_max = limit.rlim_cur;
  return metrics;
}

}  // namespace stele::api
