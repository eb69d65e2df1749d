#pragma once
// Owners of OpenSSL's objects, and its errors in words.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace stele::net {

template <auto free>
struct OpenSslFree {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using BioPointer = std::unique_ptr<BIO, OpenSslFree<&BIO_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, OpenSslFree<&EVP_PKEY_free>>;
using CertificatePointer = std::unique_ptr<X509, OpenSslFree<&X509_free>>;
using SslPointer = std::unique_ptr<SSL, OpenSslFree<&SSL_free>>;

/// What the calling thread's last failed call had to say; takes it, and all before it, off the thread's list.
[[nodiscard]] std::string take_openssl_error();

/// A distinguished name on one line (RFC 2253), ASCII with everything else escaped; empty if it has no parts.
[[nodiscard]] std::string text_of(const X509_NAME* name);

}  // namespace stele::net
