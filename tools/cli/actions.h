#pragma once
// Commands of several actions: `stele snapshot take`.

#include <span>
#include <string>
#include <string_view>

namespace stele::tools {

struct Action {
  std::string_view name;
  std::string_view summary;
  int (*run)(int argc, const char* const* argv);
};

/// Runs the action that argv[1] names, with that as its argv[0]; help on stdout for --help, on stderr with kExitUsage
/// if there is no such action. `command` is like "snapshot"; `footer` is the last line of the help.
[[nodiscard]] int run_action(std::string_view command, std::span<const Action> actions, std::string_view footer,
                             int argc, const char* const* argv);

}  // namespace stele::tools
