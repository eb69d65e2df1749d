#pragma once

namespace stele::tools {

/// `stele listen`: receives webhooks and prints their events. Returns the exit code.
int listen_command(int argc, const char* const* argv);

}  // namespace stele::tools
