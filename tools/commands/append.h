#pragma once

namespace stele::tools {

/// `stele append`: sends one event made of flags, or a list from stdin; prints the receipt. Returns the exit code.
int append_command(int argc, const char* const* argv);

}  // namespace stele::tools
