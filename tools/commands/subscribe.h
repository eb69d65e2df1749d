#pragma once

namespace stele::tools {

/// `stele subscribe`: makes a subscription, and shows its id and its secret. Returns the exit code.
int subscribe_command(int argc, const char* const* argv);

}  // namespace stele::tools
