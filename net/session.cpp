#include "net/session.h"

#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <charconv>
#include <chrono>
#include <cstring>
#include <exception>
#include <limits>
#include <utility>

#include "api/problem.h"
#include "api/request_headers.h"
#include "api/router.h"
#include "net/access_log.h"
#include "net/chunked_decoder.h"
#include "net/read_pool.h"
#include "net/response_head.h"
#include "net/server_tls.h"

namespace stele::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t room_behind_head = 4096;
/// A body up to this size is copied behind the head: cheaper than a second buffer for the kernel.
constexpr std::size_t small_body_max = 8 * 1024;
/// A reader must take this much within write_ms.
constexpr std::size_t write_window = 64 * 1024;
/// What a slow reader may hold of an answer without taking it from the budget of all connections.
constexpr std::size_t unheld_max = 128 * 1024;
/// Buffers larger than this are not kept for the next answer.
constexpr std::size_t kept_max = 256 * 1024;
constexpr std::size_t logged_path_max = 1024;

std::int64_t micros_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

api::Response too_many_answers() {
  return api::problem_response("busy", "Too many large answers are being sent at the moment.");
}

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

Session::Session(IoThread& io, ServerCore& core, Socket socket, std::string address,
                 ConnectionBudget::Admission admission)
    : io_(io),
      core_(core),
      limits_(core.options.limits),
      transport_(std::move(socket)),
      address_(std::move(address)),
      admission_(admission),
      capacity_(core.options.limits.header_bytes_max + room_behind_head),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_ + BodyBuffer::padding)),
      large_body_(core.budget) {
  std::memset(buffer_.get() + capacity_, 0, BodyBuffer::padding);
}

Session::~Session() {
  core_.budget.give_body_bytes(held_bytes_);
  core_.budget.leave(address_, admission_);
}

void Session::start() {
  task_ = run();
  task_.start();
}

void Session::enter(Phase phase, std::int64_t deadline_ms) {
  phase_ = phase;
  deadline_ms_ = deadline_ms;
}

void Session::tick(std::int64_t now_ms) {
  // An idle connection keeps no large buffer: it would be missing to the busy ones.
  if (phase_ == Phase::Idle && now_ms - idle_since_ms_ > 1000) shed_buffers();
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

void Session::drain() {
  if (phase_ == Phase::Idle) transport_.cancel();
  if (phase_ == Phase::Handshake) abort();
}

void Session::abort() {
  aborted_ = true;
  transport_.close();
}

void Session::shed_buffers() {
  if (large_body_.capacity() > 0) large_body_.free();
  for (std::string* buffer : {&response_.body, &out_, &piece_}) {
    if (buffer->capacity() > 2 * small_body_max) std::string().swap(*buffer);
  }
}

std::string_view Session::header(std::string_view name) const {
  const RequestHead::Field* first = nullptr;
  std::string* joined = nullptr;
  for (const RequestHead::Field& field : head_.fields) {
    if (!same_ignoring_case(field.name, name)) continue;
    if (first == nullptr) {
      first = &field;
      continue;
    }
    if (joined == nullptr) joined = &joined_.emplace_back(first->value);
    joined->append(", ").append(field.value);
  }
  if (joined != nullptr) return *joined;
  return first == nullptr ? std::string_view{} : first->value;
}

void Session::resume(std::function<void()> work) const { io_.post(std::move(work)); }

Task<> Session::run() {
  try {
    co_await serve();
  } catch (const std::exception& e) {
    complain(LogCause::RequestFailed, "a connection ended by an exception: ", e.what());
  } catch (...) {
    complain(LogCause::RequestFailed, "a connection ended by something unknown");
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
        complain(LogCause::RequestRefused, "no TLS: ", tls.failure());
        co_await linger();  // the alert says why
        co_return false;
    }
    if (!ready || aborted_) co_return false;
  }
}

Task<> Session::serve() {
  if (core_.options.tls != nullptr && !co_await handshake()) co_return;
  if (admission_ != ConnectionBudget::Admission::Welcome) {
    refusal_ = {"busy", admission_ == ConnectionBudget::Admission::TooMany
                            ? "Too many connections are open."
                            : "Too many connections from your address are open."};
    co_await refuse();
    co_return;
  }
  for (std::uint64_t number = 1;; ++number) {
    // Between two requests nothing points into the buffer.
    if (begin_ == end_) begin_ = end_ = 0;
    idle_since_ms_ = IoThread::now_ms();
    enter(Phase::Idle, idle_since_ms_ + (number == 1 ? limits_.header_ms : limits_.idle_ms));
    std::size_t searched = 0;
    std::size_t head_size = 0;
    for (;;) {
      if (phase_ == Phase::Idle) {
        // Some clients send an empty line after a body (RFC 9112, 2.2).
        while (unread().starts_with("\r\n")) begin_ += 2;
        if (begin_ != end_ && unread() != "\r") {
          began_ms_ = IoThread::now_ms();
          began_micros_ = micros_now();
          enter(Phase::Head, began_ms_ + limits_.header_ms);
        }
      }
      if (phase_ == Phase::Head) {
        head_size = find_head_end(unread(), searched);
        if (head_size > 0) break;
        if (!may_be_head(unread())) {
          refusal_ = {"malformed-request", "This is not HTTP/1.1. (TLS is not spoken on this port.)"};
          co_await refuse();
          co_return;
        }
        if (unread().size() >= limits_.header_bytes_max) {
          refusal_ = head_too_large(unread(), {limits_.header_bytes_max, limits_.fields_max});
          co_await refuse();
          co_return;
        }
      }
      if (end_ == capacity_) compact();
      Transport::Read read = transport_.read_some(asio::mutable_buffer(buffer_.get() + end_, capacity_ - end_));
      std::size_t bytes = co_await read;
      if (timed_out_) {
        if (phase_ == Phase::Idle) co_return;
        refusal_ = {"request-timeout", "The header did not arrive in time."};
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
      end_ += bytes;
    }
    // Room behind the header, for what comes next.
    if (begin_ + head_size > limits_.header_bytes_max) compact();
    refusal_ = {};
    if (auto refusal =
            parse_head(unread().substr(0, head_size), {limits_.header_bytes_max, limits_.fields_max}, head_)) {
      refusal_ = std::move(*refusal);
      co_await refuse();
      co_return;
    }
    close_after_ = !head_.keep_alive || number >= limits_.requests_per_connection_max;

    const std::uint64_t length = head_.content_length.value_or(0);
    if (length > limits_.body_bytes_max) {
      (void)refuse_body("payload-too-large",
                        "The body is longer than " + std::to_string(limits_.body_bytes_max) + " bytes.");
      co_await refuse();
      co_return;
    }
    BodyOutcome outcome = BodyOutcome::Whole;
    if (end_ - begin_ - head_size >= length && !head_.chunked) {
      body_ = std::string_view(buffer_.get() + begin_ + head_size, static_cast<std::size_t>(length));
      request_end_ = begin_ + head_size + static_cast<std::size_t>(length);
    } else if (head_.chunked) {
      outcome = co_await read_chunked_body(head_size);
    } else {
      outcome = co_await read_sized_body(head_size, static_cast<std::size_t>(length));
    }
    if (outcome == BodyOutcome::Gone) co_return;
    if (outcome == BodyOutcome::Refused) {
      co_await refuse();
      co_return;
    }

    enter(Phase::Handling, began_ms_ + limits_.request_ms);
    call_handler();
    co_await AwaitReply{*this};
    if (aborted_) {
      end_request();
      co_return;
    }

    if (io_.draining()) close_after_ = true;
    const bool head_only = head_.method == api::Method::Head;
    if (response_.source != nullptr && !head_only && may_have_body(response_.status)) {
      if (!co_await stream()) {
        end_request();
        co_return;
      }
    } else {
      hold_answer();
      begin_answer(!head_only);
      if (!write_now() && !co_await write_rest()) {
        end_request();
        co_return;
      }
    }
    account();
    end_request();
    if (close_after_) {
      co_await linger();
      co_return;
    }
    begin_ = request_end_;
  }
}

void Session::compact() {
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

std::int64_t Session::body_deadline(std::int64_t began_ms, std::size_t received) const {
  const std::uint64_t rate = std::max<std::uint64_t>(limits_.body_rate_min, 1);
  const std::int64_t earned = static_cast<std::int64_t>(received * 1000 / rate);
  return began_ms + std::min(limits_.body_grace_ms + earned, limits_.body_ms);
}

Session::BodyOutcome Session::refuse_body(std::string_view slug, std::string detail) {
  refusal_ = {slug, std::move(detail)};
  return BodyOutcome::Refused;
}

Task<bool> Session::send_continue() {
  out_ = "HTTP/1.1 100 Continue\r\n\r\n";
  pending_ = {asio::const_buffer(out_.data(), out_.size()), {}, {}};
  pending_bytes_ = out_.size();
  if (write_now()) co_return true;
  co_return co_await write_rest();
}

Task<Session::BodyOutcome> Session::read_sized_body(std::size_t head_size, std::size_t length) {
  const std::size_t from = begin_ + head_size;
  if (head_.expects_continue && end_ == from && !co_await send_continue()) co_return BodyOutcome::Gone;
  const std::int64_t began = IoThread::now_ms();
  const bool in_place = from + length <= capacity_;
  std::size_t received = end_ - from;
  if (!in_place && !large_body_.append({buffer_.get() + from, received}, length)) {
    co_return refuse_body("busy", "Too much is being received at the moment.");
  }
  while (received < length) {
    enter(Phase::Body, body_deadline(began, received));
    char* into = buffer_.get() + end_;
    std::size_t room = capacity_ - end_;
    if (!in_place) {
      if (large_body_.room_bytes() == 0 && !large_body_.reserve(1, length)) {
        co_return refuse_body("busy", "Too much is being received at the moment.");
      }
      into = large_body_.room();
      room = std::min(large_body_.room_bytes(), length - received);
    }
    const std::size_t bytes = co_await transport_.read_some(asio::mutable_buffer(into, room));
    if (timed_out_) co_return refuse_body("request-timeout", "The body did not arrive in time.");
    if (bytes == 0) co_return BodyOutcome::Gone;
    received += bytes;
    if (in_place) {
      end_ += bytes;
    } else {
      large_body_.grew(bytes);
    }
  }
  body_ = in_place ? std::string_view(buffer_.get() + from, length) : large_body_.view();
  request_end_ = in_place ? from + length : end_;
  co_return BodyOutcome::Whole;
}

Task<Session::BodyOutcome> Session::read_chunked_body(std::size_t head_size) {
  const std::size_t from = begin_ + head_size;
  if (head_.expects_continue && end_ == from && !co_await send_continue()) co_return BodyOutcome::Gone;
  const std::int64_t began = IoThread::now_ms();
  ChunkedDecoder decoder;
  std::size_t at = from;
  for (;;) {
    while (at < end_) {
      const ChunkedDecoder::Step step = decoder.next({buffer_.get() + at, end_ - at});
      at += step.consumed;
      switch (step.outcome) {
        case ChunkedDecoder::Outcome::More:
          break;
        case ChunkedDecoder::Outcome::Data:
          if (large_body_.size() + step.data.size() > limits_.body_bytes_max) {
            co_return refuse_body("payload-too-large",
                                  "The body is longer than " + std::to_string(limits_.body_bytes_max) + " bytes.");
          }
          if (!large_body_.append(step.data, limits_.body_bytes_max)) {
            co_return refuse_body("busy", "Too much is being received at the moment.");
          }
          break;
        case ChunkedDecoder::Outcome::Done:
          // Nothing may have arrived in the end: the body still needs an address with padding behind it.
          body_ = large_body_.size() > 0 ? large_body_.view() : std::string_view(buffer_.get(), 0);
          request_end_ = at;
          co_return BodyOutcome::Whole;
        case ChunkedDecoder::Outcome::Malformed:
          co_return refuse_body("malformed-request", "The body is not in the chunked coding.");
        case ChunkedDecoder::Outcome::Trailer:
          co_return refuse_body("malformed-request", "Trailer fields are not accepted.");
      }
    }
    enter(Phase::Body, body_deadline(began, large_body_.size()));
    at = end_ = from;
    const std::size_t bytes =
        co_await transport_.read_some(asio::mutable_buffer(buffer_.get() + from, capacity_ - from));
    if (timed_out_) co_return refuse_body("request-timeout", "The body did not arrive in time.");
    if (bytes == 0) co_return BodyOutcome::Gone;
    end_ += bytes;
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
    complain(LogCause::RequestFailed, "a request handler threw: ", e.what());
  } catch (...) {
    complain(LogCause::RequestFailed, "a request handler threw something unknown");
  }
  reply(ticket, api::problem_response("internal-error", "The request could not be handled."));
}

void Session::reply(std::uint64_t ticket, api::Response&& response) {
  if (!ticket_open_.compare_exchange_strong(ticket, 0, std::memory_order_acq_rel)) return;
  response_ = std::move(response);
  IoThread& io = io_;
  if (!io.is_current()) {
    io.post([this] { deliver(); });
  } else if (waiting_) {
    io.deliver_soon(this);
  } else {
    reply_ready_ = true;  // inside handle()
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

void Session::complain(LogCause cause, std::string_view message, std::string_view detail) noexcept {
  // While a handler has the request, the answer is not ours to look at.
  const bool answered = phase_ != Phase::Handling || reply_ready_;
  const api::Route* const route = answered ? response_.route : nullptr;
  const api::ProblemKind* const problem = answered ? response_.problem : nullptr;
  const LogContext context{{"remote", address_},
                           {"method", head_.method_name},
                           {"path", head_.path.substr(0, logged_path_max)},
                           {"route", route == nullptr ? std::string_view{} : route->pattern},
                           {"problem", problem == nullptr ? std::string_view{} : problem->slug},
                           {"requestId", answered ? sent_field("X-Request-Id") : std::string_view{}}};
  core_.log.write(cause, IoThread::now_ms(), message, detail);
}

std::string_view Session::sent_field(std::string_view name) const {
  for (const auto& [sent, value] : response_.headers) {
    if (same_ignoring_case(sent, name)) return value;
  }
  return {};
}

bool Session::hold(std::size_t bytes) {
  if (bytes <= unheld_max || bytes <= held_bytes_) return true;
  if (!core_.budget.take_body_bytes(bytes - held_bytes_)) return false;
  held_bytes_ = bytes;
  return true;
}

/// A reader may take its time over a large answer: all that wait for their readers must fit into the budget. An answer
/// that says what was stored is never refused; it leaves less for others.
void Session::hold_answer() {
  const std::size_t bytes = response_.body.capacity();
  if (hold(bytes)) return;
  if (head_.method == api::Method::Get || head_.method == api::Method::Head) {
    const api::Route* const route = response_.route;
    response_ = too_many_answers();
    response_.route = route;
  } else {
    core_.budget.force_body_bytes(bytes - held_bytes_);
    held_bytes_ = bytes;
  }
}

void Session::begin_answer(bool with_body) {
  identify();
  const bool may = may_have_body(response_.status);
  Framing framing;
  framing.close = close_after_;
  framing.keep_alive = !close_after_ && head_.version == 10;
  if (may && response_.source == nullptr) framing.content_length = response_.body.size();
  out_.clear();
  append_response_head(out_, response_, framing, io_.date());
  pending_ = {};
  body_bytes_sent_ = 0;
  if (with_body && may && response_.source == nullptr) {
    body_bytes_sent_ = response_.body.size();
    if (response_.body.size() <= small_body_max) {
      out_ += response_.body;
    } else {
      pending_[1] = asio::const_buffer(response_.body.data(), response_.body.size());
    }
  }
  pending_[0] = asio::const_buffer(out_.data(), out_.size());
  pending_bytes_ = pending_[0].size() + pending_[1].size();
}

void Session::consume(std::size_t bytes) {
  pending_bytes_ -= bytes;
  for (asio::const_buffer& buffer : pending_) {
    const std::size_t taken = std::min(bytes, buffer.size());
    buffer += taken;
    bytes -= taken;
    if (bytes == 0) break;
  }
}

/// The usual case: the socket takes all of it at once, without a suspension. False: go on with write_rest().
bool Session::write_now() {
  error_code ec;
  const std::size_t bytes = transport_.write_now(pending_, pending_bytes_, ec);
  if (ec) return false;
  consume(bytes);
  return pending_bytes_ == 0;
}

Task<bool> Session::write_rest() {
  std::size_t window = 0;
  enter(Phase::Writing, IoThread::now_ms() + limits_.write_ms);
  while (pending_bytes_ > 0) {
    error_code ec;
    const std::size_t bytes = transport_.write_now(pending_, pending_bytes_, ec);
    if (would_block(ec)) {
      if (!co_await transport_.writable() || aborted_) co_return false;
      continue;
    }
    if (ec) co_return false;
    consume(bytes);
    window += bytes;
    if (window >= write_window) {
      window = 0;
      enter(Phase::Writing, IoThread::now_ms() + limits_.write_ms);
    }
  }
  co_return true;
}

void Session::pull_piece() {
  const auto broken = [](std::string why) { return Result<bool>(Error{ErrorKind::Io, std::move(why)}); };
  try {
    pulled_.emplace(response_.source->next(piece_));
  } catch (const std::exception& e) {
    pulled_.emplace(broken(std::string("a response body threw: ") + e.what()));
  } catch (...) {
    pulled_.emplace(broken("a response body threw something unknown"));
  }
  IoThread& io = io_;
  io.post([this] { deliver(); });
}

Task<bool> Session::stream() {
  const bool chunked = head_.version == 11;
  if (!chunked) close_after_ = true;
  body_bytes_sent_ = 0;
  bool first = true;
  bool more = true;
  while (more) {
    piece_.clear();
    enter(Phase::Pulling, IoThread::now_ms() + limits_.request_ms);
    Result<bool> pulled = co_await Pull{*this};
    if (aborted_) co_return false;
    if (!pulled || !hold(piece_.capacity())) {
      if (!pulled) complain(LogCause::RequestFailed, "a response body broke off: ", pulled.error().describe());
      if (first) {
        const api::Route* const route = response_.route;
        response_ = pulled ? too_many_answers()
                           : api::problem_response("storage-error", "Stored bytes that the answer needs cannot be read.");
        response_.route = route;
        begin_answer(true);
        if (write_now()) co_return true;
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
    if (piece_.empty() && more && !first) continue;
    if (io_.draining()) close_after_ = true;
    out_.clear();
    if (first) {
      identify();
      Framing framing;
      framing.chunked = chunked;
      framing.close = close_after_;
      append_response_head(out_, response_, framing, io_.date());
      first = false;
    }
    std::string_view behind;
    if (chunked) {
      if (!piece_.empty()) {
        std::array<char, 16> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), piece_.size(), 16).ptr;
        out_.append(digits.data(), static_cast<std::size_t>(end - digits.data())).append("\r\n");
        behind = more ? "\r\n" : "\r\n0\r\n\r\n";
      } else if (!more) {
        behind = "0\r\n\r\n";
      }
    }
    body_bytes_sent_ += piece_.size();
    pending_ = {asio::const_buffer(out_.data(), out_.size()), asio::const_buffer(piece_.data(), piece_.size()),
                asio::const_buffer(behind.data(), behind.size())};
    pending_bytes_ = out_.size() + piece_.size() + behind.size();
    if (pending_bytes_ > 0 && !write_now() && !co_await write_rest()) co_return false;
  }
  co_return true;
}

Task<> Session::refuse() {
  timed_out_ = false;
  close_after_ = true;
  response_ = api::problem_response(refusal_.slug, refusal_.detail);
  begin_answer(head_.method != api::Method::Head);
  const bool connection = admission_ != ConnectionBudget::Admission::Welcome;
  complain(connection ? LogCause::ConnectionRefused : LogCause::RequestRefused,
           connection ? "a connection was refused: " : "a request was refused: ", refusal_.detail);
  const bool written = write_now() || co_await write_rest();
  account();
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
    if (co_await transport_.read_some(asio::mutable_buffer(buffer_.get(), capacity_)) == 0) co_return;
  }
}

void Session::account() {
  const std::int64_t micros = began_micros_ == 0 ? 0 : std::max<std::int64_t>(micros_now() - began_micros_, 1);
  io_.counts().record(response_, head_.method, static_cast<std::uint64_t>(micros) * 1000);
  if (response_.status == 401 || response_.status == 403) complain(LogCause::AccessDenied, "a request was denied access");
  if (core_.access_log) log_access(micros);
}

void Session::log_access(std::int64_t micros) {
  AccessLog::Entry entry;
  entry.method = head_.method_name;
  entry.path = head_.path;
  entry.status = response_.status;
  entry.bytes = body_bytes_sent_;
  entry.micros = micros;
  entry.remote = address_;
  entry.correlation_id = sent_field("X-Correlation-Id");
  entry.request_id = sent_field("X-Request-Id");
  entry.client_request_id = header("X-Request-Id");
  const std::string_view traceparent = header("traceparent");
  entry.trace_id = api::trace_id_of(traceparent);
  entry.span_id = api::span_id_of(traceparent);
  if (response_.route != nullptr) entry.route = response_.route->pattern;
  if (response_.problem != nullptr) entry.problem = response_.problem->slug;
  core_.access_log->write(entry);
}

void Session::end_request() {
  head_.clear();
  began_micros_ = 0;
  body_ = {};
  large_body_.clear();
  joined_.clear();
  response_.headers.clear();
  response_.route = nullptr;
  response_.problem = nullptr;
  response_.source.reset();
  std::string().swap(response_.body);  // the next answer brings its own
  if (out_.capacity() > kept_max) std::string().swap(out_);
  if (piece_.capacity() > kept_max) std::string().swap(piece_);
  core_.budget.give_body_bytes(std::exchange(held_bytes_, 0));
}

}  // namespace stele::net
