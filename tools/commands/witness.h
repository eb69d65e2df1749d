#pragma once

namespace stele::tools {

/// `stele witness`: cosigns checkpoints of logs that it is told of (C2SP tlog-witness), so that two parties can watch
/// each other. Returns the exit status.
int witness_command(int argc, const char* const* argv);

}  // namespace stele::tools
