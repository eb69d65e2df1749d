#pragma once
// One request and its answer: lends the request to the handler, takes the answer from whatever thread it comes, and
// counts and logs it once it was written, or as far as it got.

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/http/http.h"
#include "net/http/request_reader.h"
#include "net/http/response_writer.h"
#include "net/server/connection.h"
#include "net/server/read_pool.h"
#include "net/server/request_log.h"

namespace stele::net {

/// Used again for each request of a connection: there is one at a time, pipelined ones wait in the reader. It is also
/// what the handler sees of the request. On the connection's I/O thread, where nothing else is said.
class Exchange final : private api::Request {
 public:
  /// Both must outlive it.
  Exchange(Connection& connection, const RequestReader& reader)
      : connection_(connection), reader_(reader), writer_(connection.core().budget) {}
  ~Exchange() override { writer_.end_answer(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  class AwaitAnswer;
  class AwaitTurn;
  template <class Work>
  class OnReadPool;

  /// The first byte of the request is there.
  void begin(std::int64_t now_ms);
  [[nodiscard]] std::int64_t began_ms() const { return began_ms_; }
  [[nodiscard]] const api::Request& request() const { return *this; }
  /// Gives the request to the handler; co_await answer() next.
  void call_handler();
  /// co_await: until there is an answer, or what should have been one when the connection was aborted.
  [[nodiscard]] AwaitAnswer answer();
  /// co_await: runs `work` where it may wait for a disk. False: the pool has ended, and it was not run.
  template <class Work>
  [[nodiscard]] OnReadPool<Work> on_read_pool(Work& work);
  /// co_await: lets the other connections have their turn.
  [[nodiscard]] AwaitTurn next_turn();
  /// Goes on with what has arrived.
  void deliver();
  /// What had no memory to be delivered is.
  void tick();

  [[nodiscard]] Connection& connection() const { return connection_; }
  [[nodiscard]] const RequestReader& reader() const { return reader_; }
  [[nodiscard]] const RequestHead& head() const { return reader_.head(); }
  [[nodiscard]] api::Response& response() { return response_; }
  [[nodiscard]] ResponseWriter& writer() { return writer_; }
  /// No request follows on the connection, which the answer says, if it is not too late.
  [[nodiscard]] bool is_last() const { return last_; }
  void set_last(bool last) { last_ = last; }

  /// An answer that the handler did not give, instead of any other; it is told of it.
  void refuse(std::string_view slug, std::string detail);
  /// The same, to the same route.
  void replace_answer(std::string_view slug, std::string detail);
  /// An upgrade that the request does not ask for becomes a 500; of another the answer says 101.
  void check_upgrade();
  /// Turns an answer into one that there is memory for, if that is needed.
  void hold_answer();
  /// The same for a piece of a body; false if there is none.
  [[nodiscard]] bool hold_piece();
  /// Has the writer begin with the whole answer.
  void begin_answer();
  /// Has the writer begin with the head of an answer in pieces.
  void begin_stream(Framing framing);

  /// Counts and logs the answer; not `whole`: as far as it got.
  void account(bool whole);
  /// A log line about the request.
  void log_limited(LogCause cause, std::string_view message, std::string_view detail = {}) noexcept;
  /// Forgets request and answer. Destroys the source of its body.
  void end();

 private:
  struct ReplyTo;

  // api::Request
  [[nodiscard]] api::Method method() const override { return reader_.head().method; }
  [[nodiscard]] std::string_view path() const override { return reader_.head().path; }
  [[nodiscard]] std::string_view query() const override { return reader_.head().query; }
  [[nodiscard]] std::string_view header(std::string_view name) const override { return reader_.header(name); }
  [[nodiscard]] bool has_header(std::string_view name) const override { return reader_.has_header(name); }
  [[nodiscard]] std::string_view authority() const override { return reader_.head().authority; }
  [[nodiscard]] std::string_view body() const override { return reader_.body(); }
  [[nodiscard]] std::uint64_t announced_body_bytes() const override {
    return head().content_length.value_or(reader_.body().size());
  }
  [[nodiscard]] std::string_view remote_address() const override { return connection_.seat().address(); }
  [[nodiscard]] std::string_view client_certificate() const override { return connection_.transport().client_name(); }
  [[nodiscard]] bool abandoned() const override;
  [[nodiscard]] bool is_cut_off() const override { return connection_.is_cut_off(); }
  void resume(std::function<void()> work) const override { connection_.io().post(std::move(work)); }
  [[nodiscard]] bool may_upgrade_to(std::string_view protocol) const override;

  void reply(std::uint64_t ticket, api::Response&& response);
  void post_delivery();
  [[nodiscard]] api::Response own_answer(std::string_view slug, std::string detail) const;
  [[nodiscard]] std::string payer() const;
  /// Gives the answer a request id, if anybody will look for it.
  void identify();
  [[nodiscard]] LoggedRequest logged() const;

  Connection& connection_;
  const RequestReader& reader_;
  ResponseWriter writer_;
  api::Response response_;
  bool last_ = false;
  std::int64_t began_ms_ = 0;
  std::int64_t began_micros_ = 0;  ///< 0 = no request has begun

  std::atomic<std::uint64_t> ticket_open_{0};  ///< the request that may be answered; 0 = none
  std::uint64_t tickets_ = 0;
  bool delivered_ = false;
  std::atomic<bool> undelivered_{false};  ///< an answer is there, but there was no memory to say so
  std::coroutine_handle<> waiting_;
};

class Exchange::AwaitAnswer {
 public:
  explicit AwaitAnswer(Exchange& exchange) : exchange_(exchange) {}
  bool await_ready() const noexcept { return exchange_.delivered_; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { exchange_.waiting_ = handle; }
  void await_resume() const noexcept {}

 private:
  Exchange& exchange_;
};

class Exchange::AwaitTurn {
 public:
  explicit AwaitTurn(Exchange& exchange) : exchange_(exchange) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const {
    exchange_.waiting_ = handle;
    exchange_.connection_.io().deliver_soon(&exchange_);
  }
  void await_resume() const noexcept {}

 private:
  Exchange& exchange_;
};

/// Lives in the coroutine's frame, so that the pool keeps no more than a pointer.
template <class Work>
class Exchange::OnReadPool {
 public:
  OnReadPool(Exchange& exchange, Work& work) : exchange_(exchange), work_(work) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    exchange_.waiting_ = handle;
    accepted_ = exchange_.connection_.core().pool->run_unrefusable([this] {
      Exchange& exchange = exchange_;
      work_();
      exchange.post_delivery();
    });
    if (!accepted_) exchange_.waiting_ = {};
    return accepted_;
  }
  bool await_resume() const noexcept { return accepted_; }

 private:
  Exchange& exchange_;
  Work& work_;
  bool accepted_ = false;
};

inline Exchange::AwaitAnswer Exchange::answer() { return AwaitAnswer(*this); }
inline Exchange::AwaitTurn Exchange::next_turn() { return AwaitTurn(*this); }
template <class Work>
Exchange::OnReadPool<Work> Exchange::on_read_pool(Work& work) {
  return {*this, work};
}

}  // namespace stele::net
