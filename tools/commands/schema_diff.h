#pragma once

namespace stele::tools {

/// `stele schema diff`. argv[0] is the command's own name.
int schema_diff_command(int argc, const char* const* argv);

}  // namespace stele::tools
