#pragma once

namespace stele::tools {

/// `stele key`: makes, shows and rotates the key that signs checkpoints. A server that runs takes notice by itself.
/// Returns the exit status.
int key_command(int argc, const char* const* argv);

}  // namespace stele::tools
