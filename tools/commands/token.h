#pragma once

namespace stele::tools {

/// `stele token`: makes, lists and revokes API keys in a key store. A server that runs takes notice by itself. Returns
/// the exit code.
int token_command(int argc, const char* const* argv);

}  // namespace stele::tools
