#pragma once
// One connection: reads a request, bounds it, lets the handler answer, writes the answer, again. One coroutine on one
// I/O thread. It is also the api::Request of the request at hand: there is one at a time, pipelined ones wait in the
// buffer.

#include <array>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http.h"
#include "net/body_buffer.h"
#include "net/io_thread.h"
#include "net/request_head.h"
#include "net/task.h"
#include "net/transport.h"

namespace stele::net {

class Session final : private api::Request {
 public:
  /// The connection has been counted in; the destructor counts it out.
  Session(IoThread& io, ServerCore& core, Socket socket, std::string address, ConnectionBudget::Admission admission);
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
  enum class BodyOutcome { Whole, Refused, Gone };
  struct ReplyTo;
  struct AwaitReply;
  struct Pull;

  // api::Request
  [[nodiscard]] api::Method method() const override { return head_.method; }
  [[nodiscard]] std::string_view path() const override { return head_.path; }
  [[nodiscard]] std::string_view query() const override { return head_.query; }
  [[nodiscard]] std::string_view header(std::string_view name) const override;
  [[nodiscard]] std::string_view body() const override { return body_; }
  [[nodiscard]] std::string_view remote_address() const override { return address_; }
  [[nodiscard]] std::string_view client_certificate() const override { return transport_.client_name(); }
  void resume(std::function<void()> work) const override;

  Task<> run();
  Task<> serve();
  Task<bool> handshake();
  Task<BodyOutcome> read_sized_body(std::size_t head_size, std::size_t length);
  Task<BodyOutcome> read_chunked_body(std::size_t head_size);
  Task<bool> send_continue();
  Task<bool> stream();
  Task<bool> write_rest();
  Task<> refuse();
  Task<> linger();

  void call_handler();
  void reply(std::uint64_t ticket, api::Response&& response);
  void pull_piece();
  /// Takes what `bytes` in memory for the answer need from the budget of all connections; false if that is used up.
  [[nodiscard]] bool hold(std::size_t bytes);
  void hold_answer();
  void shed_buffers();
  void begin_answer(bool with_body);
  bool write_now();
  void consume(std::size_t bytes);
  /// Counts and logs an answer that was written.
  void account();
  void log_access(std::int64_t micros);
  /// Gives the answer at hand a request id, if anybody will look for it.
  void identify();
  /// A log line about the request at hand.
  void complain(LogCause cause, std::string_view message, std::string_view detail = {}) noexcept;
  /// Of the answer at hand; empty if it has none.
  [[nodiscard]] std::string_view sent_field(std::string_view name) const;
  void end_request();
  BodyOutcome refuse_body(std::string_view slug, std::string detail);
  void enter(Phase phase, std::int64_t deadline_ms);
  [[nodiscard]] std::int64_t body_deadline(std::int64_t began_ms, std::size_t received) const;
  [[nodiscard]] std::string_view unread() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void compact();

  IoThread& io_;
  ServerCore& core_;
  const HttpLimits& limits_;
  Transport transport_;
  const std::string address_;
  const ConnectionBudget::Admission admission_;
  Task<> task_;

  Phase phase_ = Phase::Idle;
  std::int64_t deadline_ms_ = 0;
  bool timed_out_ = false;
  bool aborted_ = false;
  bool close_after_ = false;

  // What has been read: [begin_, end_) of the buffer. It has padding behind, so that a body in it can be parsed in
  // place.
  const std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t request_end_ = 0;  ///< in the buffer: where the next request begins

  RequestHead head_;
  std::string_view body_;
  BodyBuffer large_body_;
  mutable std::deque<std::string> joined_;  ///< values of repeated fields that were asked for
  Refusal refusal_;
  std::int64_t idle_since_ms_ = 0;
  std::int64_t began_ms_ = 0;
  std::int64_t began_micros_ = 0;

  std::atomic<std::uint64_t> ticket_open_{0};  ///< the request that may be answered; 0 = none
  std::uint64_t tickets_ = 0;
  bool reply_ready_ = false;
  std::coroutine_handle<> waiting_;
  api::Response response_;

  std::optional<Result<bool>> pulled_;
  std::string piece_;

  std::string out_;  ///< head, and body if it is small
  Transport::Buffers pending_;
  std::size_t pending_bytes_ = 0;
  std::uint64_t body_bytes_sent_ = 0;
  std::uint64_t held_bytes_ = 0;  ///< of the budget, for the answer at hand
};

}  // namespace stele::net
