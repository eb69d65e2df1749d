#pragma once

namespace stele::tools {

/// `stele dead-letters`: lists, delivers again and drops what subscriptions have given up. Returns the exit code.
int dead_letters_command(int argc, const char* const* argv);

}  // namespace stele::tools
