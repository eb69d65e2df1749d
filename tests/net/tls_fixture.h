#pragma once
// A server that speaks TLS, with certificates of an authority of its own.

#include <openssl/ssl.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "net/tls/server_tls.h"
#include "tests/net/test_server.h"
#include "tests/support/certificates.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

/// The files of a server.
class TlsFolder {
 public:
  TlsFolder() { install(authority.issue_server()); }

  void install(const Identity& server) const {
    write_private(file("server.pem"), server.certificate);
    write_private(file("server-key.pem"), server.key);
  }
  [[nodiscard]] net::TlsFiles files() const { return {file("server.pem"), file("server-key.pem"), "", false}; }
  /// The same, and clients must have a certificate.
  [[nodiscard]] net::TlsFiles mutual_files(bool optional = false) const {
    write_private(file("ca.pem"), authority.certificate());
    return {file("server.pem"), file("server-key.pem"), file("ca.pem"), optional};
  }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file(name); }

  TestAuthority authority{"Test authority"};

 private:
  test::TempFolder folder_;
};

struct TlsServer {
  explicit TlsServer(net::ServerOptions options = quick(), bool mutual = false, bool optional = false)
      : server(with_tls(std::move(options), mutual ? folder.mutual_files(optional) : folder.files())) {}

  /// Believes the server.
  [[nodiscard]] ClientTls trusting() const {
    ClientTls tls;
    tls.ca = folder.authority.certificate();
    return tls;
  }
  [[nodiscard]] HttpClient client() const { return client(trusting()); }
  [[nodiscard]] HttpClient client(const ClientTls& tls) const {
    HttpClient made(server.port());
    made.use_tls(tls);
    return made;
  }
  [[nodiscard]] HttpClient client_showing(const Identity& identity) const {
    ClientTls tls = trusting();
    tls.identity = identity;
    return client(tls);
  }
  [[nodiscard]] HttpClient plain_client() const { return server.client(); }

  net::ServerOptions with_tls(net::ServerOptions options, net::TlsFiles files) {
    auto loaded = net::ServerTls::load(std::move(files));
    if (!loaded) throw std::runtime_error(loaded.error().describe());
    credentials = std::move(loaded).value();
    options.tls = credentials;
    return options;
  }

  TlsFolder folder;
  std::shared_ptr<net::ServerTls> credentials;
  TestServer server;
};

}  // namespace stele::tests
