#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace stele::tests {

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// All of it; nothing of one that cannot be read.
inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Instead of what is there.
inline void write_file(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace stele::tests
