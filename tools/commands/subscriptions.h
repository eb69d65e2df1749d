#pragma once

namespace stele::tools {

/// `stele subscriptions`: lists, shows and changes subscriptions. Returns the exit code.
int subscriptions_command(int argc, const char* const* argv);

}  // namespace stele::tools
