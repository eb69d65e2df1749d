#pragma once

namespace stele::tools {

/// `stele import`: appends a file of events through the HTTP API. Returns the exit code.
int import_command(int argc, const char* const* argv);

}  // namespace stele::tools
