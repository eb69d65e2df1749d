#pragma once
// Lists that the server gives as lines of JSON, printed while they come.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tools/client/server_flags.h"

namespace stele::tools {

/// How a list looks to people: a heading, and a line of at most so many characters for each object.
struct LineTable {
  std::string (*heading)();
  std::string (*row)(std::string_view json, std::size_t columns);
};

/// Asks for `target` and prints what comes: the lines as they are, or by `table` (null = none). Stops after `limit`
/// lines; 0 = never. Gives the exit code. `command` is like "stele query".
[[nodiscard]] int print_lines(const char* command, const ServerFlags& server, const std::string& target,
                              const LineTable* table, std::uint64_t limit);

}  // namespace stele::tools
