#include "tests/support/certificates.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace stele::tests {

namespace {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<&BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<&EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<&X509_free>>;

void must(bool good) {
  if (!good) throw std::runtime_error("OpenSSL failed to make a certificate");
}

std::string text_in(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Bio memory() { return Bio(BIO_new(BIO_s_mem())); }
Bio reading(const std::string& pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Certificate certificate_of(const Identity& identity) {
  Certificate certificate(PEM_read_bio_X509(reading(identity.certificate).get(), nullptr, nullptr, nullptr));
  must(certificate != nullptr);
  return certificate;
}

Key key_of(const Identity& identity) {
  Key key(PEM_read_bio_PrivateKey(reading(identity.key).get(), nullptr, nullptr, nullptr));
  must(key != nullptr);
  return key;
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, Free<&X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()));
  must(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

/// Signed by `issuer`, or by itself if that is null.
Identity make(const CertificateWish& wish, const Identity* issuer) {
  static std::atomic<long> serial{1};
  const Key key(wish.weak_key ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  must(key != nullptr && certificate != nullptr);
  X509* const raw = certificate.get();
  must(X509_set_version(raw, X509_VERSION_3) == 1);
  must(ASN1_INTEGER_set(X509_get_serialNumber(raw), serial++) == 1);
  must(X509_gmtime_adj(X509_getm_notBefore(raw), wish.from_days * 86400L) != nullptr);
  must(X509_gmtime_adj(X509_getm_notAfter(raw), wish.until_days * 86400L) != nullptr);
  must(X509_set_pubkey(raw, key.get()) == 1);
  if (!wish.common_name.empty()) {
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0) == 1);
  }
  add_extension(raw, NID_basic_constraints, wish.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  std::string names;
  for (const std::string& name : wish.alt_names) names += (names.empty() ? "" : ",") + name;
  if (!names.empty()) add_extension(raw, NID_subject_alt_name, names);
  if (issuer == nullptr) {
    must(X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1);
    must(X509_sign(raw, key.get(), EVP_sha256()) > 0);
  } else {
    must(X509_set_issuer_name(raw, X509_get_subject_name(certificate_of(*issuer).get())) == 1);
    must(X509_sign(raw, key_of(*issuer).get(), EVP_sha256()) > 0);
  }
  const Bio certificate_text = memory(), key_text = memory();
  must(PEM_write_bio_X509(certificate_text.get(), raw) == 1);
  must(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return {text_in(certificate_text), text_in(key_text)};
}

CertificateWish authority_named(const std::string& name) {
  CertificateWish wish;
  wish.common_name = name;
  wish.authority = true;
  return wish;
}

}  // namespace

TestAuthority::TestAuthority(const std::string& name) : self_(make(authority_named(name), nullptr)) {}

TestAuthority::TestAuthority(const std::string& name, const TestAuthority& parent)
    : self_(parent.issue(authority_named(name))), chain_(self_.certificate) {}

Identity TestAuthority::issue(const CertificateWish& wish) const {
  Identity made = make(wish, &self_);
  made.certificate += chain_;
  return made;
}

Identity TestAuthority::issue_server(const std::string& name) const {
  return issue({.common_name = name, .alt_names = {"DNS:localhost", "IP:127.0.0.1", "IP:::1"}});
}

std::string TestAuthority::revoke(const std::vector<Identity>& revoked) const {
  const std::unique_ptr<X509_CRL, Free<&X509_CRL_free>> list(X509_CRL_new());
  must(list != nullptr && X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1);
  must(X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_of(self_).get())) == 1);
  const std::unique_ptr<ASN1_TIME, Free<&ASN1_TIME_free>> now(X509_gmtime_adj(nullptr, -60)),
      later(X509_gmtime_adj(nullptr, 86400));
  must(X509_CRL_set1_lastUpdate(list.get(), now.get()) == 1 && X509_CRL_set1_nextUpdate(list.get(), later.get()) == 1);
  for (const Identity& identity : revoked) {
    std::unique_ptr<X509_REVOKED, Free<&X509_REVOKED_free>> entry(X509_REVOKED_new());
    must(X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(certificate_of(identity).get())) == 1);
    must(X509_REVOKED_set_revocationDate(entry.get(), now.get()) == 1);
    must(X509_CRL_add0_revoked(list.get(), entry.release()) == 1);
  }
  must(X509_CRL_sort(list.get()) == 1 && X509_CRL_sign(list.get(), key_of(self_).get(), EVP_sha256()) > 0);
  const Bio text = memory();
  must(PEM_write_bio_X509_CRL(text.get(), list.get()) == 1);
  return text_in(text);
}

std::string with_passphrase(const Identity& identity) {
  const Bio text = memory();
  must(PEM_write_bio_PKCS8PrivateKey(text.get(), key_of(identity).get(), EVP_aes_256_cbc(), "secret", 6, nullptr,
                                     nullptr) == 1);
  return text_in(text);
}

void write_private(const std::string& path, const std::string& content) {
  // A new file in its place, so that a reader sees one or the other.
  const std::string fresh = path + ".new";
  std::ofstream(fresh, std::ios::binary) << content;
  must(::chmod(fresh.c_str(), 0600) == 0);
  std::filesystem::rename(fresh, path);
}

}  // namespace stele::tests
