#pragma once
// What the server shows and asks for in TLS handshakes: certificate, key, and the authorities of client certificates.
// TLS 1.2 with ephemeral keys and AEAD ciphers, TLS 1.3; no renegotiation, no compression, no early data. Sessions are
// not resumed: there is no ticket key that could leak, and the certificate of a client is checked on every connection.

#include <openssl/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/endpoint/certificate_term.h"
#include "engine/base/result.h"

namespace stele::net {

/// Paths of files in PEM.
struct TlsFiles {
  std::string certificate;  ///< the server's own, then those between it and the root
  std::string key;          ///< of the first certificate, without a passphrase; nobody else may be able to read it
  std::string client_ca;    ///< if given, clients must have a certificate of one of these; revocation lists may follow
  bool client_optional = false;  ///< a client may do without, but a certificate that it shows must be good
};

/// Thread-safe.
class ServerTls {
 public:
  /// The error names the file and what is wrong with it.
  [[nodiscard]] static Result<std::unique_ptr<ServerTls>> load(TlsFiles files);

  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  /// Reads the files again, for the handshakes from now on. After an error everything is as before.
  [[nodiscard]] Status reload();

  /// For one handshake. The connection keeps it alive.
  [[nodiscard]] std::shared_ptr<SSL_CTX> context() const;
  /// One line about the server's certificate: whose it is and until when it is valid.
  [[nodiscard]] std::string description() const;
  /// How long the certificates and lists are good that the handshakes of now use.
  [[nodiscard]] std::vector<api::CertificateTerm> certificates() const;

 private:
  explicit ServerTls(TlsFiles files) : files_(std::move(files)) {}

  const TlsFiles files_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;
  std::vector<api::CertificateTerm> certificates_;  ///< in context_
};

}  // namespace stele::net
