#pragma once
// TLS 1.2 and 1.3 at the client's end: whose certificates it believes, and which one it shows.

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "engine/base/result.h"

namespace stele::net {

/// Paths of files in PEM, each of them optional.
struct ClientTlsFiles {
  std::string ca{};                  ///< whom to believe instead of the system's authorities
  std::string client_certificate{};  ///< shown to a server that asks for one, with those between it and the root …
  std::string client_key{};          ///< … and its private key, without a passphrase
};

/// The same as texts in PEM.
struct ClientTlsTexts {
  std::string ca{};
  std::string client_certificate{};
  std::string client_key{};
};

/// For TlsConnections that verify the server's certificate. The error names the file, or which of the texts, and
/// what is wrong with it.
[[nodiscard]] Result<std::shared_ptr<SSL_CTX>> make_client_context(const ClientTlsFiles& files);
[[nodiscard]] Result<std::shared_ptr<SSL_CTX>> make_client_context(const ClientTlsTexts& texts);

}  // namespace stele::net
