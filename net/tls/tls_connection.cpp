#include "net/tls/tls_connection.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

namespace stele::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kTlsRecordBytes = 16 * 1024;
/// A longer name is none: it would not fit where it is kept, and cutting it could make it another's.
constexpr std::size_t client_name_bytes_max = 512;

// OpenSSL's own socket BIO keeps the number of a descriptor, which may be another connection's after close(), and can
// raise SIGPIPE.
Socket& socket_of(BIO* bio) { return *static_cast<Socket*>(BIO_get_data(bio)); }

/// `flag`: what is wanted if there was nothing to do yet. It must not be set at the end: that would be waited for.
int settle(BIO* bio, ssize_t outcome, int flag) {
  BIO_clear_retry_flags(bio);
  if (outcome < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    BIO_set_flags(bio, flag | BIO_FLAGS_SHOULD_RETRY);
  }
  return static_cast<int>(outcome);
}

int bio_read(BIO* bio, char* into, int size) {
  return settle(bio, ::recv(socket_of(bio).native_handle(), into, static_cast<std::size_t>(size), 0), BIO_FLAGS_READ);
}

int bio_write(BIO* bio, const char* from, int size) {
  const auto bytes = static_cast<std::size_t>(size);
  return settle(bio, ::send(socket_of(bio).native_handle(), from, bytes, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static const std::unique_ptr<BIO_METHOD, OpenSslFree<& BIO_meth_free>> method = [] {
    std::unique_ptr<BIO_METHOD, OpenSslFree<&BIO_meth_free>> made(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection"));
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made.get(), &bio_read);
    BIO_meth_set_write(made.get(), &bio_write);
    BIO_meth_set_ctrl(made.get(), &bio_control);
    return made;
  }();
  return method.get();
}

/// "URI:spiffe://…" and the like; empty if the entry is of another kind or holds odd bytes.
std::string alt_name(const GENERAL_NAME* entry) {
  int kind = 0;
  const void* const value = GENERAL_NAME_get0_value(entry, &kind);
  const char* const label = kind == GEN_URI     ? "URI:"
                            : kind == GEN_DNS   ? "DNS:"
                            : kind == GEN_EMAIL ? "email:"
                                                : nullptr;
  if (label == nullptr) return {};
  const auto* const text = static_cast<const ASN1_STRING*>(value);
  const std::string_view bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                               static_cast<std::size_t>(ASN1_STRING_length(text)));
  const bool odd = std::any_of(bytes.begin(), bytes.end(), [](char c) { return c <= ' ' || c > '~'; });
  return bytes.empty() || odd ? std::string{} : label + std::string(bytes);
}

std::string name_in(const X509* certificate) {
  std::string name = text_of(X509_get_subject_name(certificate));
  if (name.empty()) {
    struct FreeAll {
      void operator()(GENERAL_NAMES* all) const { GENERAL_NAMES_free(all); }
    };
    const std::unique_ptr<GENERAL_NAMES, FreeAll> all(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; name.empty() && i < sk_GENERAL_NAME_num(all.get()); ++i) {
      name = alt_name(sk_GENERAL_NAME_value(all.get(), i));
    }
  }
  return name.size() <= client_name_bytes_max ? name : std::string{};
}

}  // namespace

TlsConnection::TlsConnection(SSL_CTX* context, Socket& socket) : ssl_(SSL_new(context)) {
  BIO* const bio = ssl_ == nullptr ? nullptr : BIO_new(socket_method());
  if (bio == nullptr) {
    ERR_clear_error();
    throw std::bad_alloc();
  }
  BIO_set_data(bio, &socket);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (SSL_is_server(ssl_.get()) == 1) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

void TlsConnection::expect_server(const std::string& host) {
  // An address is no name that could be asked for (RFC 6066, 3).
  const bool address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1;
  const bool done = address || (SSL_set1_host(ssl_.get(), host.c_str()) == 1 &&
                                SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1);
  ERR_clear_error();
  if (!done) throw std::bad_alloc();
}

TlsConnection::Progress TlsConnection::progress_after(int outcome) {
  switch (SSL_get_error(ssl_.get(), outcome)) {
    case SSL_ERROR_NONE:
      return Progress::Done;
    case SSL_ERROR_WANT_READ:
      return Progress::WantsToRead;
    case SSL_ERROR_WANT_WRITE:
      return Progress::WantsToWrite;
    case SSL_ERROR_SSL:
      failure_ = take_openssl_error();
      break;
    default:
      failure_ = "the connection ended";
      ERR_clear_error();
  }
  broken_ = true;
  return Progress::Failed;
}

TlsConnection::Progress TlsConnection::handshake() {
  ERR_clear_error();
  const Progress progress = progress_after(SSL_do_handshake(ssl_.get()));
  if (progress == Progress::Failed) {
    if (const std::string why = distrust(); !why.empty()) failure_ += ": " + why;
  } else if (progress == Progress::Done) {
    established_ = true;
    if (const X509* const certificate = SSL_get0_peer_certificate(ssl_.get())) client_name_ = name_in(certificate);
    ERR_clear_error();
  }
  return progress;
}

std::string TlsConnection::distrust() const {
  const long verdict = SSL_get_verify_result(ssl_.get());
  return verdict == X509_V_OK ? std::string() : X509_verify_cert_error_string(verdict);
}

std::size_t TlsConnection::read_some(asio::mutable_buffer into, error_code& ec) {
  ec = asio::error::connection_reset;
  if (broken_) return 0;
  ERR_clear_error();
  std::size_t bytes = 0;
  const int outcome = SSL_read_ex(ssl_.get(), into.data(), into.size(), &bytes);
  if (outcome == 1) {
    ec = {};
    return bytes;
  }
  if (SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_ZERO_RETURN) {
    ec = asio::error::eof;
  } else if (progress_after(outcome) == Progress::WantsToRead) {
    ec = asio::error::would_block;
  }
  return 0;
}

std::size_t TlsConnection::write_some(std::span<const asio::const_buffer> buffers, error_code& ec) {
  ec = asio::error::connection_reset;
  if (broken_) return 0;
  // A record takes what is in all buffers, so that a head and its body need not be two.
  static thread_local std::array<char, kTlsRecordBytes> gathered;
  const void* from = nullptr;
  std::size_t size = 0;
  for (const asio::const_buffer& buffer : buffers) {
    if (buffer.size() == 0) continue;
    if (size == 0 && buffer.size() >= kTlsRecordBytes) {
      from = buffer.data();
      size = kTlsRecordBytes;
      break;
    }
    const std::size_t taken = std::min(buffer.size(), gathered.size() - size);
    std::memcpy(gathered.data() + size, buffer.data(), taken);
    from = gathered.data();
    size += taken;
  }
  if (size == 0) {
    ec = {};
    return 0;
  }
  ERR_clear_error();
  std::size_t bytes = 0;
  const int outcome = SSL_write_ex(ssl_.get(), from, size, &bytes);
  if (outcome == 1) {
    ec = {};
    return bytes;
  }
  if (progress_after(outcome) == Progress::WantsToWrite) ec = asio::error::would_block;
  return 0;
}

TlsConnection::Progress TlsConnection::close_notify() {
  if (!established_ || broken_) return Progress::Failed;
  ERR_clear_error();
  // 0: sent, and the client's own has not come; nobody waits for that.
  const int outcome = SSL_shutdown(ssl_.get());
  return outcome >= 0 ? Progress::Done : progress_after(outcome);
}

}  // namespace stele::net
