#pragma once
// Which server a command talks to, and as whom.

#include <memory>
#include <string>

#include "engine/base/result.h"
#include "tools/cli/command_line.h"
#include "tools/client/credentials.h"
#include "tools/client/http_client.h"

namespace stele::tools {

struct ServerFlags {
  std::string url = "http://127.0.0.1:8080";
  HttpTls tls;
  Credentials credentials;

  /// `--url`, TLS, `--token-file`; `*this` must outlive the parsing.
  void declare(CommandLine& app);
  /// A client of that server; InvalidArgument or what the token file gives: wrong usage.
  [[nodiscard]] Result<std::unique_ptr<HttpClient>> client(HttpTimeouts timeouts = {}) const;
};

}  // namespace stele::tools
