#pragma once

namespace stele::tools {

/// `stele audit`: searches the audit trail. Returns the exit code.
int audit_command(int argc, const char* const* argv);

}  // namespace stele::tools
