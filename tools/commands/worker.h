#pragma once

namespace stele::tools {

/// `stele worker`: not for people. A server starts it to run scripts, with a socket as descriptor 3. Returns the exit
/// code.
int worker_command(int argc, const char* const* argv);

}  // namespace stele::tools
