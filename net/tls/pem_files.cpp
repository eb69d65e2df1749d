#include "net/tls/pem_files.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

namespace stele::net {

namespace {
constexpr std::size_t file_bytes_max = 1 << 20;
}  // namespace

Error unusable_file(const std::string& file, std::string why) {
  return Error{ErrorKind::InvalidArgument, std::move(why), 0, file};
}

Result<std::string> read_pem_file(const std::string& path, Readers readers) {
  // O_NONBLOCK: a named pipe must not hold up the start.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return os_error(errno, "cannot open the file", path);
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{fd};
  struct ::stat about {};
  if (::fstat(fd, &about) != 0) return os_error(errno, "cannot look at the file", path);
  if (!S_ISREG(about.st_mode)) return unusable_file(path, "this is not a file");
  // A key that belongs to root may be lent to a group, as distributions do.
  const mode_t others = about.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  if (readers == Readers::Owner && (about.st_mode & others) != 0) {
    return unusable_file(path, "others can read the private key; take that right away from them (chmod 600)");
  }
  std::string content(file_bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(fd, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_error(errno, "cannot read the file", path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > file_bytes_max) return unusable_file(path, "this is too large for a file of certificates or keys");
  content.resize(size);
  return content;
}

BioPointer pem_reader(const std::string& content) {
  return BioPointer(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
}

namespace {

/// The list of errors says whether reading stopped because there was nothing more.
bool at_end() {
  const unsigned long code = ERR_peek_last_error();
  return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

}  // namespace

Status use_certificates(SSL_CTX* context, const std::string& path) {
  STELE_ASSIGN(const std::string content, read_pem_file(path, Readers::Any));
  return use_certificates_of(context, content, path);
}

Status use_certificates_of(SSL_CTX* context, const std::string& text, const std::string& name) {
  const BioPointer in = pem_reader(text);
  ERR_clear_error();
  const CertificatePointer own(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr));
  if (own == nullptr) {
    if (at_end()) return unusable_file(name, "there is no certificate in PEM here");
    return unusable_file(name, "the certificate cannot be read: " + take_openssl_error());
  }
  if (SSL_CTX_use_certificate(context, own.get()) != 1) {
    return unusable_file(name, "the certificate cannot be used: " + take_openssl_error());
  }
  for (;;) {
    const CertificatePointer next(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) {
      return unusable_file(name, "a certificate behind the first cannot be used: " + take_openssl_error());
    }
  }
  if (!at_end()) return unusable_file(name, "a certificate behind the first cannot be read: " + take_openssl_error());
  ERR_clear_error();
  return {};
}

namespace {
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}
}  // namespace

Status use_key(SSL_CTX* context, const std::string& path, Readers readers, const std::string& certificate) {
  STELE_ASSIGN(std::string content, read_pem_file(path, readers));
  const Status used = use_key_of(context, content, path, certificate);
  OPENSSL_cleanse(content.data(), content.size());
  return used;
}

Status use_key_of(SSL_CTX* context, const std::string& text, const std::string& name, const std::string& certificate) {
  if (text.find("PRIVATE KEY-----") == std::string::npos) {
    return unusable_file(name, "there is no private key in PEM here");
  }
  ERR_clear_error();
  bool asked = false;
  const KeyPointer key(PEM_read_bio_PrivateKey(pem_reader(text).get(), nullptr, &no_passphrase, &asked));
  if (key == nullptr) {
    if (asked) return unusable_file(name, "the private key has a passphrase; give one without");
    return unusable_file(name, "the private key cannot be read: " + take_openssl_error());
  }
  const X509* const own = SSL_CTX_get0_certificate(context);
  if (X509_check_private_key(own, key.get()) != 1) {
    return unusable_file(name, "this is not the private key of the certificate in " + certificate);
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return unusable_file(name, "the private key cannot be used: " + take_openssl_error());
  }
  return {};
}

Status believe_authorities_of(SSL_CTX* context, const std::string& text, const std::string& name) {
  const BioPointer in = pem_reader(text);
  ERR_clear_error();
  std::size_t count = 0;
  for (;; ++count) {
    const CertificatePointer next(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get()) != 1) {
      return unusable_file(name, "the authority's certificate cannot be used: " + take_openssl_error());
    }
  }
  if (!at_end()) return unusable_file(name, "the authority's certificate cannot be read: " + take_openssl_error());
  ERR_clear_error();
  if (count == 0) return unusable_file(name, "there is no certificate in PEM here");
  return {};
}

}  // namespace stele::net
