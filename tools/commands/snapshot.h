#pragma once

namespace stele::tools {

/// `stele snapshot take|show|policy`. argv[0] is the command's own name.
int snapshot_command(int argc, const char* const* argv);

}  // namespace stele::tools
