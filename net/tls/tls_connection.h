#pragma once
// TLS on one connection, at its server's end or its client's: OpenSSL reading from and writing to its socket, which is
// non-blocking. Nothing here waits.

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <span>
#include <string>

#include "net/tls/openssl.h"
#include "net/tls/socket.h"

namespace stele::net {

/// One thread at a time. `socket` must outlive it and stay where it is.
class TlsConnection {
 public:
  /// `context` decides which end this is. Throws std::bad_alloc.
  TlsConnection(SSL_CTX* context, Socket& socket);
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  /// At a client, before the handshake: tells the server which of its names is meant, and takes only a certificate that
  /// holds `host`, a name or an address. Throws std::bad_alloc.
  void expect_server(const std::string& host);

  enum class Progress { Done, WantsToRead, WantsToWrite, Failed };
  /// Goes on with the handshake; to be called again once the socket is ready for what is wanted.
  [[nodiscard]] Progress handshake();

  /// Whether a read finds something without the socket. What is not decrypted yet does not count.
  [[nodiscard]] bool has_data() const { return SSL_pending(ssl_.get()) > 0; }
  /// Bytes read, at most a record's. `would_block` if there is nothing yet, `eof` if the peer said that it is done,
  /// `connection_reset` if the connection ended in any other way.
  std::size_t read_some(boost::asio::mutable_buffer into, boost::system::error_code& ec);
  /// Bytes of `buffers` that are on their way, at most a record's. After `would_block` it must be called again with the
  /// same bytes, wherever they lie, or more.
  std::size_t write_some(std::span<const boost::asio::const_buffer> buffers, boost::system::error_code& ec);

  /// Tells the peer that nothing follows (close_notify), once, if that is possible at all. WantsToWrite: not yet.
  Progress close_notify();

  /// Whose certificate the client has shown: its subject (RFC 2253) or, without one, its first usable subjectAltName as
  /// `URI:…`, `DNS:…` or `email:…`. Empty if it has shown none, or one without a name.
  [[nodiscard]] const std::string& client_name() const { return client_name_; }
  /// Why the handshake, or what came later, failed.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  /// What is wrong with the peer's certificate; empty if that is not why the handshake failed.
  [[nodiscard]] std::string distrust() const;

 private:
  [[nodiscard]] Progress progress_after(int outcome);

  SslPointer ssl_;
  bool established_ = false;
  bool broken_ = false;  ///< nothing may be asked of `ssl_` any more
  std::string client_name_;
  std::string failure_;
};

}  // namespace stele::net
