#pragma once

namespace stele::tools {

/// `stele audit hold`: legal holds. Returns the exit code.
int audit_hold_command(int argc, const char* const* argv);

}  // namespace stele::tools
