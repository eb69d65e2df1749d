#include "net/tls/server_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string_view>
#include <utility>

#include "net/tls/openssl.h"
#include "net/tls/pem_files.h"

namespace stele::net {

namespace {

// Mozilla's "intermediate" list without the finite-field ciphers. All are strong; AES-128 first because it costs least,
// except for clients that put ChaCha20 first for want of AES in hardware.
constexpr const char* ciphers_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* ciphers_1_3 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr std::string_view protocol = "\x08http/1.1";

Status use_client_authorities(SSL_CTX* context, const TlsFiles& files) {
  STELE_ASSIGN(const std::string content, read_pem_file(files.client_ca, Readers::Any));
  struct FreeAll {
    void operator()(STACK_OF(X509_INFO) * all) const { sk_X509_INFO_pop_free(all, X509_INFO_free); }
  };
  ERR_clear_error();
  const std::unique_ptr<STACK_OF(X509_INFO), FreeAll> all(
      PEM_X509_INFO_read_bio(pem_reader(content).get(), nullptr, nullptr, nullptr));
  if (all == nullptr) return unusable_file(files.client_ca, "the certificates cannot be read: " + take_openssl_error());
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  int authorities = 0;
  for (int i = 0; i < sk_X509_INFO_num(all.get()); ++i) {
    const X509_INFO* const item = sk_X509_INFO_value(all.get(), i);
    bool taken = true;
    if (item->x509 != nullptr) {
      ++authorities;
      if (X509_check_ca(item->x509) == 0) {
        return unusable_file(files.client_ca, "'" + text_of(X509_get_subject_name(item->x509)) +
                                                  "' is not the certificate of an authority (CA)");
      }
      taken = X509_STORE_add_cert(store, item->x509) == 1 && SSL_CTX_add_client_CA(context, item->x509) == 1;
    }
    if (taken && item->crl != nullptr) {
      taken = X509_STORE_add_crl(store, item->crl) == 1 && X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
    }
    if (!taken) return unusable_file(files.client_ca, "a certificate or list cannot be used: " + take_openssl_error());
  }
  if (authorities == 0) return unusable_file(files.client_ca, "there is no certificate in PEM in this file");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (files.client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT), nullptr);
  return {};
}

int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void* /*unused*/) {
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, chosen_size, reinterpret_cast<const unsigned char*>(protocol.data()),
                            static_cast<unsigned>(protocol.size()), offered, offered_size);
  *chosen = found;
  // Someone who wants another protocol may have been sent here by an attacker (RFC 7301, 3.2; ALPACA).
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<std::shared_ptr<SSL_CTX>> make_context(const TlsFiles& files) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  const auto unusable = [] { return Error{ErrorKind::Io, "OpenSSL cannot be set up: " + take_openssl_error()}; };
  if (context == nullptr) return unusable();
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_security_level(raw, 2);
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 || SSL_CTX_set_max_proto_version(raw, 0) != 1 ||
      SSL_CTX_set_cipher_list(raw, ciphers_1_2) != 1 || SSL_CTX_set_ciphersuites(raw, ciphers_1_3) != 1 ||
      SSL_CTX_set1_groups_list(raw, groups) != 1) {
    return unusable();
  }
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set_num_tickets(raw, 0) != 1) return unusable();
  // Without AUTO_RETRY a call handles one record that is not data and returns: no client can keep a thread in it.
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(raw, &choose_protocol, nullptr);
  STELE_TRY(use_certificates(raw, files.certificate));
  STELE_TRY(use_key(raw, files.key, Readers::Owner, files.certificate));
  if (!files.client_ca.empty()) STELE_TRY(use_client_authorities(raw, files));
  return context;
}

Timestamp time_of(const ASN1_TIME* time) {
  std::tm parts{};
  // A date that cannot be read is one that nobody takes: long past.
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Timestamp{};
  return Timestamp{static_cast<std::int64_t>(::timegm(&parts)) * 1'000'000};
}

std::vector<api::CertificateTerm> terms_of(SSL_CTX* context) {
  using api::CertificateUse;
  std::vector<api::CertificateTerm> terms;
  const auto add = [&](CertificateUse use, const X509* certificate) {
    terms.push_back({use, text_of(X509_get_subject_name(certificate)), time_of(X509_get0_notBefore(certificate)),
                     time_of(X509_get0_notAfter(certificate))});
  };
  add(CertificateUse::Server, SSL_CTX_get0_certificate(context));
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  for (int i = 0; i < sk_X509_num(chain); ++i) add(CertificateUse::ServerChain, sk_X509_value(chain, i));
  const STACK_OF(X509_OBJECT)* const trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
  for (int i = 0; i < sk_X509_OBJECT_num(trusted); ++i) {
    const X509_OBJECT* const object = sk_X509_OBJECT_value(trusted, i);
    if (const X509* const authority = X509_OBJECT_get0_X509(object)) {
      add(CertificateUse::ClientCa, authority);
    } else if (const X509_CRL* const list = X509_OBJECT_get0_X509_CRL(object)) {
      // Without a next update a list is good for ever.
      if (X509_CRL_get0_nextUpdate(list) == nullptr) continue;
      terms.push_back({CertificateUse::ClientCrl, text_of(X509_CRL_get_issuer(list)),
                       time_of(X509_CRL_get0_lastUpdate(list)), time_of(X509_CRL_get0_nextUpdate(list))});
    }
  }
  return terms;
}

std::string time_text(const ASN1_TIME* time) {
  const BioPointer out(BIO_new(BIO_s_mem()));
  if (out == nullptr || ASN1_TIME_print_ex(out.get(), time, ASN1_DTFLGS_ISO8601) != 1) return "?";
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Result<std::unique_ptr<ServerTls>> ServerTls::load(TlsFiles files) {
  std::unique_ptr<ServerTls> tls(new ServerTls(std::move(files)));
  STELE_TRY(tls->reload());
  return tls;
}

Status ServerTls::reload() {
  STELE_ASSIGN(auto fresh, make_context(files_));
  auto certificates = terms_of(fresh.get());
  const std::lock_guard lock(mutex_);
  context_.swap(fresh);
  certificates_.swap(certificates);
  return {};
}

std::shared_ptr<SSL_CTX> ServerTls::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::vector<api::CertificateTerm> ServerTls::certificates() const {
  const std::lock_guard lock(mutex_);
  return certificates_;
}

std::string ServerTls::description() const {
  const auto context = this->context();
  const X509* const own = SSL_CTX_get0_certificate(context.get());
  std::string whose = text_of(X509_get_subject_name(own));
  if (whose.empty()) whose = "without a subject";
  std::string text = "certificate " + whose + ", valid from " + time_text(X509_get0_notBefore(own)) + " until " +
                     time_text(X509_get0_notAfter(own));
  if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0) text += " (EXPIRED)";
  if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0) text += " (NOT VALID YET)";
  return text;
}

}  // namespace stele::net
