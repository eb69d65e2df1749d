#pragma once

namespace stele::tools {

/// `stele pull`: fetches events of a subscription. Returns the exit code.
int pull_command(int argc, const char* const* argv);

}  // namespace stele::tools
