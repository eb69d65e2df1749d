#pragma once

namespace stele::tools {

/// `stele audit retention`: how long bodies of actions are kept. Returns the exit code.
int audit_retention_command(int argc, const char* const* argv);

}  // namespace stele::tools
