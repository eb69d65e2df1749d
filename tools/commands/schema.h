#pragma once

namespace stele::tools {

/// `stele schema list|show|register|check|diff|activate|withdraw`. argv[0] is the command's own name.
int schema_command(int argc, const char* const* argv);

}  // namespace stele::tools
