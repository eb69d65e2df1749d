#pragma once

#include <fstream>
#include <string>
#include <string_view>

namespace stele::tests {

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

inline void write_file(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace stele::tests
