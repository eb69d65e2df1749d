#include "tools/client/server_flags.h"

#include <utility>

namespace stele::tools {

void ServerFlags::declare(CommandLine& app) {
  app.add_url(url);
  app.add_tls(tls);
  credentials.declare(app);
}

Result<std::unique_ptr<HttpClient>> ServerFlags::client(HttpTimeouts timeouts) const {
  STELE_ASSIGN(HttpUrl parsed, parse_http_url(url));
  STELE_ASSIGN(std::string token, credentials.token());
  auto made = std::make_unique<HttpClient>(std::move(parsed), tls, timeouts);
  made->authorize(std::move(token));
  return made;
}

}  // namespace stele::tools
