#pragma once

namespace stele::tools {

/// `stele query`: prints the events that match, as lines of JSON or as a table. Returns the exit code.
int query_command(int argc, const char* const* argv);

}  // namespace stele::tools
