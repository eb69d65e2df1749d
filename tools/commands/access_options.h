#pragma once
// What `stele serve` is told about authentication.

#include <memory>
#include <string>

#include "api/access/authenticator.h"
#include "tools/cli/command_line.h"

namespace stele::tools {

struct AccessOptions {
  std::string auth = "off";
  std::string key_store;  ///< empty: keys/ in the data folder
  std::string jwks;
  std::string jwt_issuer;
  std::string jwt_audience;

  [[nodiscard]] bool required() const { return auth == "on"; }
  /// `*this` must outlive the parsing.
  void declare(CommandLine& app);
  /// For people, if the flags contradict each other; else empty.
  [[nodiscard]] std::string complaint() const;
  /// Null if authentication is off. Says in the log what an operator should know about the keys.
  [[nodiscard]] Result<std::shared_ptr<api::Authenticator>> open(const std::string& data_folder) const;
};

/// `--key-store` with its default, for all commands that have it.
CommandLine::Option add_key_store(CommandLine& app, std::string& to);
/// Where the keys are if `key_store` does not say it.
[[nodiscard]] std::string key_store_folder(const std::string& key_store, const std::string& data_folder);

}  // namespace stele::tools
