#pragma once
// The life of one connection: handshake, then request after request, each with its deadlines, until one of the two
// sides has enough. What arrives is for the RequestReader to understand, what leaves is with the ResponseWriter.

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http/http.h"
#include "net/http/request_head.h"
#include "net/http/request_reader.h"
#include "net/http/response_writer.h"
#include "net/http/transport.h"
#include "net/server/io_thread.h"
#include "net/server/request_log.h"
#include "net/server/task.h"

namespace stele::net {

/// One coroutine on one I/O thread. It is also the api::Request of the request at hand: there is one at a time,
/// pipelined ones wait in the reader.
class Session final : private api::Request {
 public:
  /// The connection is counted in as long as it has its seat.
  Session(IoThread& io, ServerCore& core, Socket socket, ConnectionSeat seat);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // All on the session's I/O thread.
  void start();
  /// Acts if the deadline has passed.
  void tick(std::int64_t now_ms);
  /// Closes if nothing is under way.
  void drain();
  /// Closes the socket now. The session ends when nothing outside refers to it any more.
  void abort();
  /// Goes on with the answer that has arrived.
  void deliver();

  std::size_t slot = 0;  ///< place in its thread's list

 private:
  enum class Phase { Handshake, Idle, Head, Body, Handling, Pulling, Writing, Lingering, Finished };
  struct ReplyTo;
  struct AwaitReply;
  struct Pull;

  // api::Request
  [[nodiscard]] api::Method method() const override { return reader_.head().method; }
  [[nodiscard]] std::string_view path() const override { return reader_.head().path; }
  [[nodiscard]] std::string_view query() const override { return reader_.head().query; }
  [[nodiscard]] std::string_view header(std::string_view name) const override { return reader_.header(name); }
  [[nodiscard]] bool has_header(std::string_view name) const override { return reader_.has_header(name); }
  [[nodiscard]] std::string_view authority() const override { return reader_.head().authority; }
  [[nodiscard]] std::string_view body() const override { return reader_.body(); }
  [[nodiscard]] std::string_view remote_address() const override { return seat_.address(); }
  [[nodiscard]] std::string_view client_certificate() const override { return transport_.client_name(); }
  [[nodiscard]] bool abandoned() const override;
  [[nodiscard]] bool is_cut_off() const override { return cut_off_.load(std::memory_order_relaxed); }
  void resume(std::function<void()> work) const override;

  Task<> run();
  Task<> serve();
  Task<bool> handshake();
  Task<bool> stream();
  Task<bool> write_rest();
  Task<> refuse();
  Task<> linger();

  void look_at_peer();
  void call_handler();
  void reply(std::uint64_t ticket, api::Response&& response);
  void pull_piece();
  void post_delivery();
  /// An answer that the handler did not give.
  [[nodiscard]] api::Response own_answer(std::string_view slug, std::string detail) const;
  void hold_answer();
  [[nodiscard]] std::string payer() const;
  /// Another answer to the same route.
  void replace_answer(api::Response&& response);
  void begin_answer(bool with_body);
  /// Counts and logs an answer that was written; not `whole`: as far as it got.
  void account(bool whole);
  /// Gives the answer at hand a request id, if anybody will look for it.
  void identify();
  [[nodiscard]] LoggedRequest logged() const;
  /// A log line about the request at hand.
  void log_limited(LogCause cause, std::string_view message, std::string_view detail = {}) noexcept;
  void end_request();
  void enter(Phase phase, std::int64_t deadline_ms);

  IoThread& io_;
  ServerCore& core_;
  const HttpLimits& limits_;
  Transport transport_;
  const ConnectionSeat seat_;
  Task<> task_;

  Phase phase_ = Phase::Idle;
  std::int64_t deadline_ms_ = 0;
  bool timed_out_ = false;
  bool aborted_ = false;
  bool close_after_ = false;
  // For whoever works on the request, on any thread.
  std::atomic<bool> peer_left_{false};
  std::atomic<bool> cut_off_{false};  ///< aborted_

  RequestReader reader_;
  Refusal refusal_;
  std::int64_t idle_since_ms_ = 0;
  std::int64_t began_ms_ = 0;
  std::int64_t began_micros_ = 0;

  std::atomic<std::uint64_t> ticket_open_{0};  ///< the request that may be answered; 0 = none
  std::uint64_t tickets_ = 0;
  bool reply_ready_ = false;
  std::atomic<bool> undelivered_{false};  ///< an answer is there, but there was no memory to say so
  std::coroutine_handle<> waiting_;
  api::Response response_;

  std::optional<Result<bool>> pulled_;
  ResponseWriter writer_;
};

}  // namespace stele::net
