#pragma once

namespace stele::tools {

/// `stele serve`: opens the data folder and answers HTTP until SIGTERM or SIGINT. Returns the exit code.
int serve_command(int argc, const char* const* argv);

}  // namespace stele::tools
