#pragma once
// The bearer token of client commands.

#include <CLI/CLI.hpp>
#include <string>

#include "engine/base/result.h"

namespace stele::tools {

struct Credentials {
  std::string token_file;

  /// `--token-file`; `*this` must outlive the parsing.
  void declare(CLI::App& app);
  /// What --token-file holds, else STELE_TOKEN, else empty. Never on the command line, where other users could see it.
  [[nodiscard]] Result<std::string> token() const;
};

}  // namespace stele::tools
