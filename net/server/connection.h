#pragma once
// The line to one client: its socket, plain or with TLS, what is being waited for and until when, and how it ends. What
// is said on it is not known here.

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <coroutine>
#include <cstdint>
#include <utility>

#include "net/http/connection_budget.h"
#include "net/http/response_writer.h"
#include "net/http/transport.h"
#include "net/server/io_thread.h"
#include "net/server/task.h"

namespace stele::net {

/// On one I/O thread, but for what it says to those who work on a request. One coroutine waits on it at a time.
class Connection {
 public:
  class Rest;
  enum class Phase { Handshake, Idle, Head, Body, Handling, Pulling, Waiting, Writing, Lingering, Finished };

  /// The connection is counted in as long as it has its seat.
  Connection(IoThread& io, ServerCore& core, Socket socket, ConnectionSeat seat)
      : io_(io), core_(core), transport_(std::move(socket)), seat_(std::move(seat)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] IoThread& io() const { return io_; }
  [[nodiscard]] ServerCore& core() const { return core_; }
  [[nodiscard]] const HttpLimits& limits() const { return core_.options.limits; }
  [[nodiscard]] Transport& transport() { return transport_; }
  [[nodiscard]] const Transport& transport() const { return transport_; }
  [[nodiscard]] const ConnectionSeat& seat() const { return seat_; }

  [[nodiscard]] Phase phase() const { return phase_; }
  /// What happens from here on, and when it has taken too long, in milliseconds of IoThread::now_ms(). A late request
  /// is to be refused (timed_out()); everything else that is late ends the connection.
  void enter(Phase phase, std::int64_t deadline_ms) {
    phase_ = phase;
    deadline_ms_ = deadline_ms;
  }
  /// Acts if the deadline has passed, or if the client has left while its request is being worked on.
  void tick(std::int64_t now_ms);
  /// co_await, in the phase Waiting: until rouse() is called, here whenever there may be something to be seen: the
  /// deadline has passed, the client has left, the connection is aborted. Unless the socket is `watched`, its end is
  /// looked for with every tick().
  [[nodiscard]] Rest rest(bool watched);
  void rouse() {
    if (resting_) std::exchange(resting_, {}).resume();
  }
  /// Looks whether the client is still there: peer_left() and is_aborted() tell.
  void look_at_peer();
  /// Closes the socket now. Whoever waits goes on, and finds is_aborted().
  void abort();
  [[nodiscard]] bool is_aborted() const { return aborted_; }
  [[nodiscard]] bool timed_out() const { return timed_out_; }
  void forgive_timeout() { timed_out_ = false; }

  // Any thread.
  /// Whether the client has left, or sends nothing more, or nothing can be sent to it.
  [[nodiscard]] bool peer_left() const { return peer_left_.load(std::memory_order_relaxed); }
  /// is_aborted()
  [[nodiscard]] bool is_cut_off() const { return cut_off_.load(std::memory_order_relaxed); }

  enum class Handshake {
    Done,
    Plain,   ///< the client speaks HTTP without TLS
    Failed,  ///< transport().tls_failure() says why; the client is told by linger()
    Broken,  ///< there is nobody any more
  };
  /// TLS, with the deadline of a header.
  Task<Handshake> handshake();
  /// Writes what the socket did not take at once; false if the client is gone or too slow.
  Task<bool> write_rest(ResponseWriter& writer);
  /// The orderly end: nothing more is sent, and what still comes is dropped for a while. `scrap` is room for that.
  Task<> linger(boost::asio::mutable_buffer scrap);
  /// The end of a body that is cut and has no other way to say so: the client sees a reset.
  void reset_at_end();
  /// Any thread: rouse() with the next tick(), for want of memory to do it sooner.
  void rouse_later() { rouse_later_.store(true, std::memory_order_release); }

 private:
  IoThread& io_;
  ServerCore& core_;
  Transport transport_;
  const ConnectionSeat seat_;
  Phase phase_ = Phase::Idle;
  std::int64_t deadline_ms_ = 0;
  bool timed_out_ = false;
  bool aborted_ = false;
  std::atomic<bool> peer_left_{false};
  std::atomic<bool> cut_off_{false};  ///< aborted_
  std::coroutine_handle<> resting_;
  bool watched_ = false;  ///< while it rests
  std::atomic<bool> rouse_later_{false};
};

class Connection::Rest {
 public:
  Rest(Connection& connection, bool watched) : connection_(connection), watched_(watched) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept {
    connection_.watched_ = watched_;
    connection_.resting_ = handle;
  }
  void await_resume() const noexcept {}

 private:
  Connection& connection_;
  const bool watched_;
};

inline Connection::Rest Connection::rest(bool watched) { return {*this, watched}; }

}  // namespace stele::net
