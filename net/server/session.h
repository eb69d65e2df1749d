#pragma once
// The life of one connection: handshake, then request after request, until one of the two sides has enough. What
// arrives is for the RequestReader to understand, what is answered with the Exchange, how long it may take with the
// Connection.

#include <cstddef>
#include <cstdint>

#include "net/http/request_head.h"
#include "net/http/request_reader.h"
#include "net/http/transport.h"
#include "net/server/connection.h"
#include "net/server/exchange.h"
#include "net/server/task.h"

namespace stele::net {

/// One coroutine on one I/O thread.
class Session final {
 public:
  /// The connection is counted in as long as it has its seat.
  Session(IoThread& io, ServerCore& core, Socket socket, ConnectionSeat seat);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // All on the session's I/O thread.
  void start();
  /// Acts if the deadline has passed.
  void tick(std::int64_t now_ms);
  /// Closes if nothing is under way.
  void drain();
  /// Closes the socket now. The session ends when nothing outside refers to it any more.
  void abort() { connection_.abort(); }

  std::size_t slot = 0;  ///< place in its thread's list

 private:
  using Phase = Connection::Phase;

  Task<> run();
  Task<> serve();
  /// False: the connection is of no use, or has been answered already.
  Task<bool> handshake();
  Task<> refuse();

  /// Counts the answer, and forgets it and its request.
  void finish(bool whole);

  Connection connection_;
  RequestReader reader_;
  Exchange exchange_;
  Refusal refusal_;
  std::int64_t idle_since_ms_ = 0;
  Task<> task_;  ///< destroyed before what it uses
};

}  // namespace stele::net
