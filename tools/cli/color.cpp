#include "tools/cli/color.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace stele::tools {

bool colors_wanted() {
  const char* const objection = std::getenv("NO_COLOR");
  if (objection != nullptr && *objection != '\0') return false;
  const char* const terminal = std::getenv("TERM");
  if (terminal == nullptr || std::string_view(terminal) == "dumb") return false;
  return ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace stele::tools
