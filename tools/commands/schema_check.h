#pragma once

#include <string>

#include "engine/base/result.h"
#include "tools/cli/command_line.h"

namespace stele::tools {

/// `stele schema check`. argv[0] is the command's own name.
int schema_check_command(int argc, const char* const* argv);

/// `--upcaster FILE`.
void add_upcaster(CommandLine& app, std::string& file);
/// `{"schema":…`, with `upcaster` if there is a file, and without the brace at its end.
[[nodiscard]] Result<std::string> proposed_body(const std::string& schema_file, const std::string& upcaster_file);
/// `/v1/schemas`, or with the event type behind it.
[[nodiscard]] std::string schemas_path(const std::string& event_type);

}  // namespace stele::tools
