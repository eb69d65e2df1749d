#pragma once

namespace stele::tools {

/// `stele tail`: prints events as they come, and goes on over restarts of the server. Returns the exit code.
int tail_command(int argc, const char* const* argv);

}  // namespace stele::tools
