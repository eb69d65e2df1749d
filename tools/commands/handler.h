#pragma once

namespace stele::tools {

/// `stele handler put|list|show`. argv[0] is the command's own name.
int handler_command(int argc, const char* const* argv);

}  // namespace stele::tools
