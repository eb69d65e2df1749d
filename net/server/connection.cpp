#include "net/server/connection.h"

#include <sys/socket.h>

#include <memory>

#include "net/server/deadlines.h"
#include "net/tls/server_tls.h"

namespace stele::net {

using boost::system::error_code;

void Connection::tick(std::int64_t now_ms) {
  const bool unheard = phase_ == Phase::Waiting && !watched_;
  if (phase_ == Phase::Handling || phase_ == Phase::Pulling || unheard) look_at_peer();
  if (rouse_later_.load(std::memory_order_relaxed) && rouse_later_.exchange(false, std::memory_order_acquire)) rouse();
  if (now_ms < deadline_ms_) return;
  switch (phase_) {
    case Phase::Idle:
    case Phase::Head:
    case Phase::Body:
      timed_out_ = true;
      transport_.cancel();
      break;
    case Phase::Handshake:
    case Phase::Handling:
    case Phase::Pulling:
    case Phase::Writing:
    case Phase::Lingering:
      abort();
      break;
    case Phase::Waiting:
      rouse();
      break;
    case Phase::Finished:
      break;
  }
}

/// Nobody reads the socket while a request is being worked on, so its end must be looked for. Most clients that send
/// nothing more have left; one that only says so early still gets its answer, but no long search is made for it.
void Connection::look_at_peer() {
  const Transport::Peer peer = transport_.peer();
  if (peer == Transport::Peer::There) return;
  peer_left_.store(true, std::memory_order_relaxed);
  if (peer == Transport::Peer::Gone) return abort();
  rouse();
}

void Connection::abort() {
  aborted_ = true;
  cut_off_.store(true, std::memory_order_relaxed);
  transport_.close();
  rouse();
}

Task<Connection::Handshake> Connection::handshake() {
  enter(Phase::Handshake, IoThread::now_ms() + limits().header_ms);
  if (!co_await transport_.readable() || aborted_) co_return Handshake::Broken;
  // Plain HTTP begins with the name of a method, TLS with a byte that is no letter.
  char first = 0;
  if (::recv(transport_.socket().native_handle(), &first, 1, MSG_PEEK) != 1) co_return Handshake::Broken;
  if (first >= 'A' && first <= 'Z') co_return Handshake::Plain;
  const std::shared_ptr<SSL_CTX> context = core_.options.tls->context();
  TlsConnection& tls = transport_.begin_tls(context.get());
  for (;;) {
    bool ready = false;
    switch (tls.handshake()) {
      case TlsConnection::Progress::Done:
        co_return Handshake::Done;
      case TlsConnection::Progress::WantsToRead:
        ready = co_await transport_.readable();
        break;
      case TlsConnection::Progress::WantsToWrite:
        ready = co_await transport_.writable();
        break;
      case TlsConnection::Progress::Failed:
        co_return Handshake::Failed;
    }
    if (!ready || aborted_) co_return Handshake::Broken;
  }
}

Task<bool> Connection::write_rest(ResponseWriter& writer) {
  WriteDeadline deadline(limits(), IoThread::now_ms());
  while (!writer.is_written()) {
    enter(Phase::Writing, deadline.at_ms());
    error_code ec;
    const std::size_t bytes = writer.write_some(transport_, ec);
    if (would_block(ec)) {
      if (!co_await transport_.writable() || aborted_) co_return false;
      continue;
    }
    if (ec) co_return false;
    deadline.wrote(bytes, IoThread::now_ms());
  }
  co_return true;
}

/// Closing with unread bytes in the kernel would reset the connection, and the client might never see our last answer.
Task<> Connection::linger(boost::asio::mutable_buffer scrap) {
  enter(Phase::Lingering, IoThread::now_ms() + limits().linger_ms);
  while (!transport_.close_notify()) {
    if (!co_await transport_.writable() || aborted_) co_return;
  }
  transport_.end_tls();  // what still comes is dropped as it is
  error_code ec;
  transport_.socket().shutdown(Socket::shutdown_send, ec);
  if (ec) co_return;
  while (!aborted_) {
    if (co_await transport_.read_some(scrap) == 0) co_return;
  }
}

void Connection::reset_at_end() {
  const struct ::linger hard { 1, 0 };
  (void)::setsockopt(transport_.socket().native_handle(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

}  // namespace stele::net
