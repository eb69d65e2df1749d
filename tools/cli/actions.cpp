#include "tools/cli/actions.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>

#include "tools/cli/exit_code.h"
#include "tools/cli/output.h"

namespace stele::tools {

namespace {

std::string help_of(std::string_view command, std::span<const Action> actions, std::string_view footer) {
  std::string text = fmt::format("Usage: stele {} ACTION [OPTIONS]\n\nActions:\n", command);
  std::size_t width = 8;
  for (const Action& action : actions) width = std::max(width, action.name.size());
  for (const Action& action : actions) text += fmt::format("  {:<{}}  {}\n", action.name, width, action.summary);
  return text + fmt::format("\n'stele {} ACTION --help' explains an action. {}\n", command, footer);
}

}  // namespace

int run_action(std::string_view command, std::span<const Action> actions, std::string_view footer, int argc,
               const char* const* argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h") {
    put(help_of(command, actions, footer));
    return finish_output(fmt::format("stele {}", command));
  }
  const auto action = std::find_if(actions.begin(), actions.end(), [&](const Action& a) { return a.name == name; });
  if (action == actions.end()) {
    if (!name.empty()) say("stele {}: there is no action '{}'\n\n", command, name);
    write_words(help_of(command, actions, footer));
    return kExitUsage;
  }
  return action->run(argc - 1, argv + 1);
}

}  // namespace stele::tools
