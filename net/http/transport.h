#pragma once
// The bytes of a connection, on a socket that is non-blocking: plain, or with TLS on it. Plain costs what the socket
// alone costs. Its awaiters live in the coroutine's frame while that is suspended; what Asio keeps is one pointer.

#include <poll.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "net/tls/socket.h"
#include "net/tls/tls_connection.h"

namespace stele::net {

[[nodiscard]] inline bool would_block(const boost::system::error_code& ec) {
  return ec == boost::asio::error::would_block || ec == boost::asio::error::try_again;
}

/// One thread. One operation at a time.
class Transport {
 public:
  using Buffers = std::array<boost::asio::const_buffer, 3>;
  class Read;
  class Wait;

  explicit Transport(Socket socket) : socket_(std::move(socket)) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  [[nodiscard]] Socket& socket() { return socket_; }

  /// From here on everything goes through TLS; its handshake comes first. Throws std::bad_alloc.
  TlsConnection& begin_tls(SSL_CTX* context) { return tls_.emplace(context, socket_); }
  /// Subject of the client's certificate; empty if there is none.
  [[nodiscard]] std::string_view client_name() const {
    return tls_ ? std::string_view(tls_->client_name()) : std::string_view{};
  }

  /// co_await: bytes read; 0 at the end, or when the connection broke, was cancelled or closed.
  [[nodiscard]] Read read_some(boost::asio::mutable_buffer into);
  /// co_await: whether the socket is ready; false when it was cancelled or closed.
  [[nodiscard]] Wait readable();
  [[nodiscard]] Wait writable();

  /// What broke TLS; empty if nothing did.
  [[nodiscard]] std::string_view tls_failure() const {
    return tls_ ? std::string_view(tls_->failure()) : std::string_view{};
  }

  /// Whether something can be read that the socket does not tell of.
  [[nodiscard]] bool has_data() const { return tls_ && tls_->has_data(); }
  /// What there is to read at once; `ec` is would_block if that is nothing.
  std::size_t read_now(boost::asio::mutable_buffer into, boost::system::error_code& ec) {
    return tls_ ? tls_->read_some(into, ec) : socket_.read_some(into, ec);
  }
  /// Writes some of `buffers`, which hold `size` bytes; `ec` is would_block if nothing can be written at once. The same
  /// bytes must be tried again then.
  std::size_t write_now(const Buffers& buffers, std::size_t size, boost::system::error_code& ec) {
    if (tls_) return tls_->write_some(buffers, ec);
    return size == buffers[0].size() ? socket_.write_some(buffers[0], ec) : socket_.write_some(buffers, ec);
  }

  enum class Peer {
    There,
    SendsNoMore,  ///< it has closed the connection, or only its own direction of it: there is no telling
    Gone,         ///< nothing can be sent to it
  };
  /// What is known of the other side, without reading what it has sent.
  [[nodiscard]] Peer peer() {
    pollfd look{socket_.native_handle(), POLLRDHUP, 0};
    if (::poll(&look, 1, 0) != 1) return Peer::There;
    return (look.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? Peer::Gone : Peer::SendsNoMore;
  }

  /// Over TLS, says that nothing follows. False: that cannot be written yet, try again when it can.
  [[nodiscard]] bool close_notify() { return !tls_ || tls_->close_notify() != TlsConnection::Progress::WantsToWrite; }
  /// From here on the bytes are those of the socket.
  void end_tls() { tls_.reset(); }
  /// What is being waited for ends without success.
  void cancel() {
    cancelled_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  Socket socket_;
  std::optional<TlsConnection> tls_;
  bool cancelled_ = false;  ///< what is being waited for
};

class Transport::Read {
 public:
  Read(Transport& transport, boost::asio::mutable_buffer into) : transport_(transport), into_(into) {}

  bool await_ready() {
    if (!transport_.tls_ || !transport_.tls_->has_data()) return false;
    bytes_ = transport_.tls_->read_some(into_, ec_);
    return !would_block(ec_);
  }
  void await_suspend(std::coroutine_handle<> handle) {
    self_ = handle;
    transport_.cancelled_ = false;
    if (transport_.tls_) {
      wait();
    } else {
      transport_.socket_.async_read_some(into_, Done{this});
    }
  }
  std::size_t await_resume() const noexcept { return ec_ ? 0 : bytes_; }

  [[nodiscard]] const boost::system::error_code& error() const { return ec_; }
  [[nodiscard]] boost::asio::mutable_buffer into() const { return into_; }

 private:
  struct Done {
    Read* read;
    void operator()(const boost::system::error_code& ec, std::size_t bytes) const {
      read->ec_ = ec;
      read->bytes_ = bytes;
      read->self_.resume();
    }
  };
  struct Readable {
    Read* read;
    void operator()(const boost::system::error_code& ec) const {
      read->ec_ = ec;
      if (!ec) {
        read->bytes_ = read->transport_.tls_->read_some(read->into_, read->ec_);
        if (would_block(read->ec_)) {  // a part of a record, or one that is not data
          if (!read->transport_.cancelled_) return read->wait();
          read->ec_ = boost::asio::error::operation_aborted;
        }
      }
      read->self_.resume();
    }
  };
  /// The socket is always waited for first, though a record may be there: other connections get their turn.
  void wait() { transport_.socket_.async_wait(Socket::wait_read, Readable{this}); }

  Transport& transport_;
  boost::asio::mutable_buffer into_;
  boost::system::error_code ec_{};
  std::size_t bytes_ = 0;
  std::coroutine_handle<> self_{};
};

class Transport::Wait {
 public:
  Wait(Socket& socket, Socket::wait_type what) : socket_(socket), what_(what) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    self_ = handle;
    socket_.async_wait(what_, Done{this});
  }
  bool await_resume() const noexcept { return !ec_; }

 private:
  struct Done {
    Wait* wait;
    void operator()(const boost::system::error_code& ec) const {
      wait->ec_ = ec;
      wait->self_.resume();
    }
  };

  Socket& socket_;
  Socket::wait_type what_;
  boost::system::error_code ec_{};
  std::coroutine_handle<> self_{};
};

inline Transport::Read Transport::read_some(boost::asio::mutable_buffer into) { return {*this, into}; }
inline Transport::Wait Transport::readable() { return {socket_, Socket::wait_read}; }
inline Transport::Wait Transport::writable() { return {socket_, Socket::wait_write}; }

}  // namespace stele::net
