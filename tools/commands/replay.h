#pragma once

namespace stele::tools {

/// `stele replay`: the state of an aggregate, now or as it was. argv[0] is the command's own name.
int replay_command(int argc, const char* const* argv);

}  // namespace stele::tools
