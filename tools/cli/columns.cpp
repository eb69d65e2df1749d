#include "tools/cli/columns.h"

#include <algorithm>
#include <cstddef>

#include "tools/cli/printable.h"

namespace stele::tools {

std::string columns(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], character_count(printable(line[i])));
  }
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool last = i + 1 == line.size();
      text += last ? printable(line[i]) + '\n' : cell(line[i], widths[i]) + "  ";
    }
  }
  return text;
}

}  // namespace stele::tools
