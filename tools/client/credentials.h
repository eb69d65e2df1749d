#pragma once
// The bearer token of client commands.

#include <string>

#include "engine/base/result.h"
#include "tools/cli/command_line.h"

namespace stele::tools {

struct Credentials {
  std::string token_file;

  /// `--token-file`; `*this` must outlive the parsing.
  void declare(CommandLine& app);
  /// What --token-file holds, else STELE_TOKEN, else empty. Never on the command line, where other users could see it.
  [[nodiscard]] Result<std::string> token() const;
};

}  // namespace stele::tools
