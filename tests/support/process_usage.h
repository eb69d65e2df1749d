#pragma once
// What another process uses at the moment, as the kernel tells it.

#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

namespace stele::tests {

/// Memory of its own in RAM, files that it maps not counted.
[[nodiscard]] inline std::uint64_t anonymous_bytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
  }
  throw std::runtime_error("no RssAnon");
}

[[nodiscard]] inline std::size_t open_sockets(pid_t pid) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone).string().starts_with("socket:")) ++count;
  }
  return count;
}

/// Processes that it has started and that have not ended.
[[nodiscard]] inline std::set<pid_t> children_of(pid_t parent) {
  std::set<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "stat");
    std::string line;
    std::getline(in, line);
    std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
    std::string state;
    pid_t of = 0;
    if (fields >> state >> of && of == parent && state != "Z") children.insert(std::stoi(name));
  }
  return children;
}

/// Time of processors that it has used, in clock ticks; 0 of one that is gone.
[[nodiscard]] inline std::uint64_t processor_ticks(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(in, line);
  // Behind the name, which may have any characters: the state, ten others, and then utime and stime (proc(5)).
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::string other;
  for (int i = 0; i < 11; ++i) fields >> other;
  std::uint64_t user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

}  // namespace stele::tests
