#pragma once
// `stele verify`: whether a log is the one that was signed, from its files or from its server.

namespace stele::tools {

int verify_command(int argc, const char* const* argv);

}  // namespace stele::tools
