#include "net/tls/client_tls.h"

#include <openssl/err.h>

#include "net/tls/openssl.h"
#include "net/tls/pem_files.h"

namespace stele::net {

namespace {

/// That believes nobody yet.
Result<std::shared_ptr<SSL_CTX>> make_verifying_context() {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SSL_CTX* const raw = context.get();
  if (raw == nullptr || SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1) {
    return Error{ErrorKind::Io, "OpenSSL cannot be set up: " + take_openssl_error()};
  }
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  return context;
}

}  // namespace

Result<std::shared_ptr<SSL_CTX>> make_client_context(const ClientTlsFiles& files) {
  STELE_ASSIGN(std::shared_ptr<SSL_CTX> context, make_verifying_context());
  SSL_CTX* const raw = context.get();
  const int believed =
      files.ca.empty() ? SSL_CTX_set_default_verify_paths(raw) : SSL_CTX_load_verify_file(raw, files.ca.c_str());
  if (believed != 1) return unusable_file(files.ca, "cannot use the authority's certificate: " + take_openssl_error());
  if (files.client_certificate.empty()) return context;
  STELE_TRY(use_certificates(raw, files.client_certificate));
  STELE_TRY(use_key(raw, files.client_key, Readers::Any, files.client_certificate));
  return context;
}

Result<std::shared_ptr<SSL_CTX>> make_client_context(const ClientTlsTexts& texts) {
  STELE_ASSIGN(std::shared_ptr<SSL_CTX> context, make_verifying_context());
  SSL_CTX* const raw = context.get();
  if (!texts.ca.empty()) {
    STELE_TRY(believe_authorities_of(raw, texts.ca, "ca"));
  } else if (SSL_CTX_set_default_verify_paths(raw) != 1) {
    return unusable_file({}, "cannot use the system's authorities: " + take_openssl_error());
  }
  if (texts.client_certificate.empty()) return context;
  STELE_TRY(use_certificates_of(raw, texts.client_certificate, "the client's certificate"));
  STELE_TRY(use_key_of(raw, texts.client_key, "the client's key", "the client's certificate"));
  return context;
}

}  // namespace stele::net
