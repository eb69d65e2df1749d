#include "net/webhook/webhook_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <coroutine>
#include <cstddef>

namespace stele::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// co_await: the outcome.
class Connect {
 public:
  Connect(Socket& socket, const asio::ip::tcp::endpoint& endpoint) : socket_(socket), endpoint_(endpoint) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    self_ = handle;
    socket_.async_connect(endpoint_, Done{this});
  }
  error_code await_resume() const noexcept { return ec_; }

 private:
  struct Done {
    Connect* connect;
    void operator()(const error_code& ec) const {
      connect->ec_ = ec;
      connect->self_.resume();
    }
  };
  Socket& socket_;
  asio::ip::tcp::endpoint endpoint_;
  error_code ec_{};
  std::coroutine_handle<> self_{};
};

}  // namespace

Task<error_code> WebhookConnection::connect(asio::ip::tcp::endpoint endpoint) {
  Socket& socket = transport_.socket();
  error_code ec;
  socket.open(endpoint.protocol(), ec);
  if (ec) co_return ec;
  ec = co_await Connect(socket, endpoint);
  if (!ec) socket.non_blocking(true, ec);
  if (!ec) socket.set_option(asio::ip::tcp::no_delay(true), ec);
  co_return ec;
}

Task<bool> WebhookConnection::begin_tls(std::shared_ptr<SSL_CTX> context, std::string host) {
  using Progress = TlsConnection::Progress;
  tls_ = std::move(context);
  handshake_ = &transport_.begin_tls(tls_.get());
  handshake_->expect_server(host);
  for (;;) {
    const Progress progress = handshake_->handshake();
    if (progress == Progress::Done) co_return true;
    if (progress == Progress::Failed) co_return false;
    bool ready = false;
    if (progress == Progress::WantsToRead) {
      ready = co_await transport_.readable();
    } else {
      ready = co_await transport_.writable();
    }
    if (!ready) co_return false;
  }
}

Task<bool> WebhookConnection::write(std::string_view head, std::string_view body) {
  Transport::Buffers buffers{asio::buffer(head), asio::buffer(body)};
  for (std::size_t left = head.size() + body.size(); left > 0;) {
    error_code ec;
    std::size_t bytes = transport_.write_now(buffers, left, ec);
    if (would_block(ec)) {
      const bool ready = co_await transport_.writable();
      if (!ready) co_return false;
    } else if (ec) {
      co_return false;
    }
    left -= bytes;
    for (asio::const_buffer& buffer : buffers) {
      const std::size_t taken = std::min(bytes, buffer.size());
      buffer += taken;
      bytes -= taken;
    }
  }
  co_return true;
}

Task<AnswerReader::State> WebhookConnection::exchange(std::string_view head, std::string_view body,
                                                      AnswerReader& reader) {
  using State = AnswerReader::State;
  const bool sent = co_await write(head, body);
  // Answers are short as a rule, and the frame of this coroutine is to be one that is recycled.
  std::array<char, 2 * 1024> piece;
  for (;;) {
    auto read = transport_.read_some(asio::buffer(piece));
    const std::size_t bytes = co_await read;
    const State state = bytes > 0 ? reader.take({piece.data(), bytes}) : reader.end(read.error() == asio::error::eof);
    if (state == State::NeedsMore) continue;
    if (!sent || state != State::Complete || !reader.may_keep()) close();
    co_return state;
  }
}

bool WebhookConnection::is_usable() {
  if (!transport_.socket().is_open()) return false;
  // Over TLS what follows also takes in what is no data, such as a ticket, and may end with that, before the end that
  // lies behind it. Without TLS it hears of an end itself.
  if (tls_ && transport_.peer() != Transport::Peer::There) return false;
  char unasked = 0;
  error_code ec;
  (void)transport_.read_now(asio::buffer(&unasked, 1), ec);
  return would_block(ec);
}

void WebhookConnection::close() {
  if (!transport_.socket().is_open()) return;
  (void)transport_.close_notify();
  transport_.close();
}

std::string WebhookConnection::failure() const {
  std::string why(transport_.tls_failure());
  if (!why.empty() || handshake_ == nullptr) return why;
  return handshake_->distrust();
}

}  // namespace stele::net
