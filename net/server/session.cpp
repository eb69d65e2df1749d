#include "net/server/session.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <chrono>
#include <exception>
#include <limits>
#include <new>
#include <utility>

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "net/http/response_head.h"
#include "net/server/deadlines.h"
#include "net/server/read_pool.h"
#include "net/tls/server_tls.h"

namespace stele::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::int64_t micros_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

constexpr const char* kTooManyAnswers = "Too many large answers are being sent at the moment.";
constexpr const char* kGivenUp =
    "The search was given up: the server shuts down, or the client has closed its side of the connection.";

}  // namespace

// What a handler holds to answer: small and trivial enough for std::function to keep it without an allocation.
struct Session::ReplyTo {
  Session* session;
  std::uint64_t ticket;
  void operator()(api::Response response) const { session->reply(ticket, std::move(response)); }
};

struct Session::AwaitReply {
  Session& session;
  bool await_ready() const noexcept { return session.reply_ready_; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { session.waiting_ = handle; }
  void await_resume() const noexcept {}
};

struct Session::Pull {
  Session& session;
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) const {
    session.waiting_ = handle;
    session.pulled_.reset();
    if (session.core_.pool->run_unrefusable([s = &session] { s->pull_piece(); })) return true;
    session.waiting_ = {};
    session.pulled_.emplace(Error{ErrorKind::Closed, "the read pool has ended"});
    return false;
  }
  /// Whether more follows behind the piece.
  Result<bool> await_resume() const { return std::move(*session.pulled_); }
};

Session::Session(IoThread& io, ServerCore& core, Socket socket, ConnectionSeat seat)
    : io_(io),
      core_(core),
      limits_(core.options.limits),
      transport_(std::move(socket)),
      seat_(std::move(seat)),
      reader_(core.options.limits, core.budget),
      writer_(core.budget) {}

Session::~Session() { writer_.end_answer(); }

void Session::start() {
  task_ = run();
  task_.start();
}

void Session::enter(Phase phase, std::int64_t deadline_ms) {
  phase_ = phase;
  deadline_ms_ = deadline_ms;
}

void Session::tick(std::int64_t now_ms) {
  if (undelivered_.load(std::memory_order_relaxed) && undelivered_.exchange(false, std::memory_order_acquire)) {
    deliver();
  }
  // An idle connection keeps no large buffer: it would be missing to the busy ones.
  if (phase_ == Phase::Idle && now_ms - idle_since_ms_ > 1000) {
    reader_.shed_buffers();
    writer_.shed_buffers();
  }
  if (phase_ == Phase::Handling || phase_ == Phase::Pulling) look_at_peer();
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
    case Phase::Finished:
      break;
  }
}

/// Nobody reads the socket while a request is being worked on, so its end must be looked for. Most clients that send
/// nothing more have left; one that only says so early still gets its answer, but no long search is made for it.
void Session::look_at_peer() {
  const Transport::Peer peer = transport_.peer();
  if (peer == Transport::Peer::There) return;
  peer_left_.store(true, std::memory_order_relaxed);
  if (peer == Transport::Peer::Gone) abort();
}

void Session::drain() {
  if (phase_ == Phase::Idle) transport_.cancel();
  if (phase_ == Phase::Handshake) abort();
}

void Session::abort() {
  aborted_ = true;
  cut_off_.store(true, std::memory_order_relaxed);
  transport_.close();
}

bool Session::abandoned() const {
  return is_cut_off() || peer_left_.load(std::memory_order_relaxed) ||
         core_.shutting_down.load(std::memory_order_relaxed);
}

void Session::resume(std::function<void()> work) const { io_.post(std::move(work)); }

Task<> Session::run() {
  try {
    co_await serve();
  } catch (const std::exception& e) {
    log_limited(LogCause::RequestFailed, "a connection ended by an exception: ", e.what());
  } catch (...) {
    log_limited(LogCause::RequestFailed, "a connection ended by something unknown");
  }
  if (phase_ == Phase::Idle) (void)transport_.close_notify();
  transport_.close();
  enter(Phase::Finished, std::numeric_limits<std::int64_t>::max());
  io_.retire(this);
}

/// False: the connection is of no use, or has been answered already.
Task<bool> Session::handshake() {
  enter(Phase::Handshake, IoThread::now_ms() + limits_.header_ms);
  if (!co_await transport_.readable() || aborted_) co_return false;
  // Plain HTTP begins with the name of a method, TLS with a byte that is no letter.
  char first = 0;
  if (::recv(transport_.socket().native_handle(), &first, 1, MSG_PEEK) != 1) co_return false;
  if (first >= 'A' && first <= 'Z') {
    core_.traffic->connections().handshakes_failed.fetch_add(1, std::memory_order_relaxed);
    refusal_ = {"malformed-request", "Only TLS is spoken on this port: use https."};
    co_await refuse();
    co_return false;
  }
  const std::shared_ptr<SSL_CTX> context = core_.options.tls->context();
  TlsConnection& tls = transport_.begin_tls(context.get());
  for (;;) {
    bool ready = false;
    switch (tls.handshake()) {
      case TlsConnection::Progress::Done:
        co_return true;
      case TlsConnection::Progress::WantsToRead:
        ready = co_await transport_.readable();
        break;
      case TlsConnection::Progress::WantsToWrite:
        ready = co_await transport_.writable();
        break;
      case TlsConnection::Progress::Failed:
        core_.traffic->connections().handshakes_failed.fetch_add(1, std::memory_order_relaxed);
        log_limited(LogCause::RequestRefused, "no TLS: ", tls.failure());
        co_await linger();  // the alert says why
        co_return false;
    }
    if (!ready || aborted_) co_return false;
  }
}

Task<> Session::serve() {
  if (core_.options.tls != nullptr && !co_await handshake()) co_return;
  if (seat_.admission() != ConnectionBudget::Admission::Accepted) {
    refusal_ = {"busy", seat_.admission() == ConnectionBudget::Admission::TooMany
                            ? "Too many connections are open."
                            : "Too many connections from your address are open."};
    co_await refuse();
    co_return;
  }
  for (std::uint64_t number = 1;; ++number) {
    reader_.begin_request();
    idle_since_ms_ = IoThread::now_ms();
    enter(Phase::Idle, idle_since_ms_ + (number == 1 ? limits_.header_ms : limits_.idle_ms));
    std::int64_t body_began_ms = 0;
    bool body_wanted = true;
    for (;;) {
      if (phase_ == Phase::Idle && reader_.has_begun()) {
        began_ms_ = IoThread::now_ms();
        began_micros_ = micros_now();
        enter(Phase::Head, began_ms_ + limits_.header_ms);
      }
      const RequestReader::Step step = phase_ == Phase::Idle ? RequestReader::Step::Read : reader_.next();
      if (step == RequestReader::Step::Whole) break;
      if (step == RequestReader::Step::Ask) {
        std::string principal;
        body_wanted = core_.handler->wants_body(*this, principal);
        if (body_wanted) {
          reader_.bill(ConnectionBudget::payer(seat_.address(), principal));
          continue;
        }
        reader_.skip_body();
        break;
      }
      if (step == RequestReader::Step::Refused) {
        refusal_ = reader_.refusal();
        co_await refuse();
        co_return;
      }
      if (step == RequestReader::Step::Continue) {
        writer_.begin_continue();
        if (!writer_.write_now(transport_) && !co_await write_rest()) co_return;
        continue;
      }
      if (reader_.is_in_body()) {
        if (phase_ != Phase::Body) body_began_ms = IoThread::now_ms();
        enter(Phase::Body, body_deadline_ms(limits_, body_began_ms, reader_.body_bytes_received()));
      }
      Transport::Read read = transport_.read_some(reader_.room());
      std::size_t bytes = co_await read;
      if (timed_out_) {
        if (phase_ == Phase::Idle) co_return;
        if (phase_ == Phase::Head) reader_.give_up_head();
        refusal_ = {"request-timeout",
                    phase_ == Phase::Head ? "The header did not arrive in time." : "The body did not arrive in time."};
        co_await refuse();
        co_return;
      }
      if (bytes == 0 && read.error() == asio::error::operation_aborted && io_.draining() && !aborted_) {
        // Woken by drain(): a request may have arrived just now, and deserves its answer.
        error_code ec;
        bytes = transport_.read_now(read.into(), ec);
        if (ec) co_return;
      }
      if (bytes == 0) co_return;
      reader_.received(bytes);
    }
    close_after_ = !body_wanted || !reader_.head().keep_alive || number >= limits_.requests_per_connection_max;

    enter(Phase::Handling, began_ms_ + limits_.request_ms);
    call_handler();
    co_await AwaitReply{*this};
    if (aborted_) {
      account(false);
      end_request();
      co_return;
    }

    if (io_.draining()) close_after_ = true;
    const bool head_only = reader_.head().method == api::Method::Head;
    if (response_.source != nullptr && !head_only && may_have_body(response_.status)) {
      if (!co_await stream()) {
        account(false);
        end_request();
        co_return;
      }
    } else {
      hold_answer();
      begin_answer(!head_only);
      if (!writer_.write_now(transport_) && !co_await write_rest()) {
        account(false);
        end_request();
        co_return;
      }
    }
    account(true);
    end_request();
    if (close_after_) {
      co_await linger();
      co_return;
    }
  }
}

void Session::call_handler() {
  const std::uint64_t ticket = ++tickets_;
  reply_ready_ = false;
  ticket_open_.store(ticket, std::memory_order_relaxed);
  try {
    core_.handler->handle(*this, api::Reply(ReplyTo{this, ticket}));
    return;
  } catch (const std::exception& e) {
    log_limited(LogCause::RequestFailed, "a request handler threw: ", e.what());
  } catch (...) {
    log_limited(LogCause::RequestFailed, "a request handler threw something unknown");
  }
  reply(ticket, own_answer("internal-error", "The request could not be handled."));
}

void Session::reply(std::uint64_t ticket, api::Response&& response) {
  if (!ticket_open_.compare_exchange_strong(ticket, 0, std::memory_order_acq_rel)) return;
  response_ = std::move(response);
  IoThread& io = io_;
  if (!io.is_current()) {
    post_delivery();
  } else if (waiting_) {
    io.deliver_soon(this);
  } else {
    reply_ready_ = true;  // inside handle()
  }
}

/// The session may be gone when this returns.
void Session::post_delivery() {
  IoThread& io = io_;
  try {
    io.post([this] { deliver(); });
  } catch (const std::bad_alloc&) {
    undelivered_.store(true, std::memory_order_release);  // tick() finds it
  }
}

void Session::deliver() {
  reply_ready_ = true;
  if (waiting_) std::exchange(waiting_, {}).resume();
}

void Session::identify() {
  if (response_.problem == nullptr && !core_.access_log) return;
  response_.headers.emplace_back("X-Request-Id", io_.next_request_id());
}

LoggedRequest Session::logged() const {
  // While a handler has the request, the answer is not ours to look at.
  const bool answered = phase_ != Phase::Handling || reply_ready_;
  return {reader_, answered ? &response_ : nullptr, seat_.address()};
}

void Session::log_limited(LogCause cause, std::string_view message, std::string_view detail) noexcept {
  log_complaint(core_.log, logged(), cause, IoThread::now_ms(), message, detail);
}

/// A reader may take its time over a large answer: all that wait for their readers must fit into the budget. An answer
/// that says what was stored is never refused; it leaves less for others.
void Session::hold_answer() {
  const std::size_t bytes = response_.body.capacity();
  if (!writer_.must_hold(bytes) || writer_.hold(bytes, payer())) return;
  if (reader_.head().method == api::Method::Get || reader_.head().method == api::Method::Head) {
    replace_answer(own_answer("busy", kTooManyAnswers));
  } else {
    writer_.force_hold(bytes, payer());
  }
}

std::string Session::payer() const {
  return ConnectionBudget::payer(seat_.address(),
                                 response_.principal ? std::string_view(response_.principal->name) : "");
}

api::Response Session::own_answer(std::string_view slug, std::string detail) const {
  api::Response answer = api::problem_response(slug, std::move(detail));
  core_.handler->complete(*this, answer);
  return answer;
}

void Session::replace_answer(api::Response&& response) {
  response.route = response_.route;
  response.principal = std::move(response_.principal);
  response_ = std::move(response);
}

void Session::begin_answer(bool with_body) {
  identify();
  Framing framing;
  framing.close = close_after_;
  framing.keep_alive = !close_after_ && reader_.head().version == 10;
  writer_.begin(response_, framing, io_.date(), with_body);
}

Task<bool> Session::write_rest() {
  WriteDeadline deadline(limits_, IoThread::now_ms());
  while (!writer_.is_written()) {
    enter(Phase::Writing, deadline.at_ms());
    error_code ec;
    const std::size_t bytes = writer_.write_some(transport_, ec);
    if (would_block(ec)) {
      if (!co_await transport_.writable() || aborted_) co_return false;
      continue;
    }
    if (ec) co_return false;
    deadline.wrote(bytes, IoThread::now_ms());
  }
  co_return true;
}

void Session::pull_piece() {
  const auto broken = [](std::string why) { return Result<bool>(Error{ErrorKind::Io, std::move(why)}); };
  try {
    if (is_cut_off()) {
      pulled_.emplace(broken("the connection is closed"));
    } else {
      pulled_.emplace(response_.source->next(writer_.piece()));
    }
  } catch (const std::exception& e) {
    pulled_.emplace(broken(std::string("a response body threw: ") + e.what()));
  } catch (...) {
    pulled_.emplace(broken("a response body threw something unknown"));
  }
  post_delivery();
}

Task<bool> Session::stream() {
  const bool chunked = reader_.head().version == 11;
  if (!chunked) close_after_ = true;
  bool first = true;
  bool more = true;
  while (more) {
    std::string& piece = writer_.fresh_piece();
    enter(Phase::Pulling, IoThread::now_ms() + limits_.request_ms);
    Result<bool> pulled = co_await Pull{*this};
    if (aborted_) co_return false;
    if (io_.draining()) close_after_ = true;
    if (!pulled || (writer_.must_hold(piece.capacity()) && !writer_.hold(piece.capacity(), payer()))) {
      const bool given_up = !pulled && pulled.error().kind == ErrorKind::Closed;
      if (!pulled && !given_up) {
        log_limited(LogCause::RequestFailed, "a response body broke off: ", pulled.error().describe());
      }
      if (first) {
        replace_answer(pulled     ? own_answer("busy", kTooManyAnswers)
                       : given_up ? own_answer("unavailable", kGivenUp)
                                  : own_answer("storage-error", "Stored bytes that the answer needs cannot be read."));
        begin_answer(true);
        if (writer_.write_now(transport_)) co_return true;
        co_return co_await write_rest();
      }
      if (!chunked) {
        // Without chunks an orderly end would look like a whole body: reset the connection.
        const struct ::linger hard { 1, 0 };
        (void)::setsockopt(transport_.socket().native_handle(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      }
      co_return false;
    }
    more = *pulled;
    if (piece.empty() && more && !first) continue;
    if (first) {
      identify();
      Framing framing;
      framing.chunked = chunked;
      framing.close = close_after_;
      writer_.begin_stream(response_, framing, io_.date());
      first = false;
    }
    writer_.begin_piece(more);
    if (!writer_.is_written() && !writer_.write_now(transport_) && !co_await write_rest()) co_return false;
  }
  co_return true;
}

Task<> Session::refuse() {
  timed_out_ = false;
  close_after_ = true;
  response_ = own_answer(refusal_.slug, refusal_.detail);
  begin_answer(reader_.head().method != api::Method::Head);
  const bool connection = seat_.admission() != ConnectionBudget::Admission::Accepted;
  log_limited(connection ? LogCause::ConnectionRefused : LogCause::RequestRefused,
              connection ? "a connection was refused: " : "a request was refused: ", refusal_.detail);
  const bool written = writer_.write_now(transport_) || co_await write_rest();
  account(written);
  end_request();
  if (written) co_await linger();
}

/// Closing with unread bytes in the kernel would reset the connection, and the client might never see our last answer.
Task<> Session::linger() {
  enter(Phase::Lingering, IoThread::now_ms() + limits_.linger_ms);
  while (!transport_.close_notify()) {
    if (!co_await transport_.writable() || aborted_) co_return;
  }
  transport_.end_tls();  // what still comes is dropped as it is
  error_code ec;
  transport_.socket().shutdown(Socket::shutdown_send, ec);
  if (ec) co_return;
  while (!aborted_) {
    if (co_await transport_.read_some(reader_.scrap()) == 0) co_return;
  }
}

void Session::account(bool whole) {
  const std::int64_t micros = began_micros_ == 0 ? 0 : std::max<std::int64_t>(micros_now() - began_micros_, 1);
  // How long an answer took is not known if the client left before its end.
  io_.counts().record(response_, reader_.head().method, whole ? static_cast<std::uint64_t>(micros) * 1000 : 0);
  if (!whole) core_.traffic->connections().answers_cut.fetch_add(1, std::memory_order_relaxed);
  if (response_.status == 401 || response_.status == 403)
    log_limited(LogCause::AccessDenied, "a request was denied access");
  if (!response_.fault.empty()) log_limited(LogCause::RequestFailed, "a request failed: ", response_.fault);
  if (core_.access_log) log_access(*core_.access_log, logged(), writer_.body_bytes_written(), micros, whole);
}

void Session::end_request() {
  reader_.end_request();
  began_micros_ = 0;
  response_.headers.clear();
  response_.route = nullptr;
  response_.problem = nullptr;
  response_.principal.reset();
  response_.source.reset();
  response_.fault.clear();
  std::string().swap(response_.body);  // the next answer brings its own
  writer_.end_answer();
}

}  // namespace stele::net
