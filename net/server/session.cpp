#include "net/server/session.h"

#include <boost/asio/error.hpp>
#include <exception>
#include <limits>
#include <string>
#include <utility>

#include "net/http/response_head.h"
#include "net/server/deadlines.h"
#include "net/server/pulled_body.h"
#include "net/server/pushed_body.h"

namespace stele::net {

namespace asio = boost::asio;
using boost::system::error_code;

Session::Session(IoThread& io, ServerCore& core, Socket socket, ConnectionSeat seat)
    : connection_(io, core, std::move(socket), std::move(seat)),
      reader_(core.options.limits, core.budget),
      exchange_(connection_, reader_) {}

void Session::start() {
  task_ = run();
  task_.start();
}

void Session::tick(std::int64_t now_ms) {
  exchange_.tick();
  // An idle connection keeps no large buffer: it would be missing to the busy ones.
  if (connection_.phase() == Phase::Idle && now_ms - idle_since_ms_ > 1000) {
    reader_.shed_buffers();
    exchange_.writer().shed_buffers();
  }
  connection_.tick(now_ms);
}

void Session::drain() {
  if (connection_.phase() == Phase::Idle) connection_.transport().cancel();
  if (connection_.phase() == Phase::Handshake) abort();
  connection_.rouse();
}

Task<> Session::run() {
  try {
    co_await serve();
  } catch (const std::exception& e) {
    exchange_.log_limited(LogCause::RequestFailed, "a connection ended by an exception: ", e.what());
  } catch (...) {
    exchange_.log_limited(LogCause::RequestFailed, "a connection ended by something unknown");
  }
  if (connection_.phase() == Phase::Idle) (void)connection_.transport().close_notify();
  connection_.transport().close();
  connection_.enter(Phase::Finished, std::numeric_limits<std::int64_t>::max());
  connection_.io().retire(this);
}

Task<bool> Session::handshake() {
  const Connection::Handshake outcome = co_await connection_.handshake();
  if (outcome == Connection::Handshake::Done) co_return true;
  if (outcome == Connection::Handshake::Broken) co_return false;
  connection_.core().traffic->connections().handshakes_failed.fetch_add(1, std::memory_order_relaxed);
  if (outcome == Connection::Handshake::Plain) {
    refusal_ = {"malformed-request", "Only TLS is spoken on this port: use https."};
    co_await refuse();
  } else {
    exchange_.log_limited(LogCause::RequestRefused, "no TLS: ", connection_.transport().tls_failure());
    co_await connection_.linger(reader_.scrap());  // the alert says why
  }
  co_return false;
}

Task<> Session::serve() {
  IoThread& io = connection_.io();
  const HttpLimits& limits = connection_.limits();
  Transport& transport = connection_.transport();
  ResponseWriter& writer = exchange_.writer();
  if (connection_.core().options.tls != nullptr && !co_await handshake()) co_return;
  const ConnectionBudget::Admission admission = connection_.seat().admission();
  if (admission != ConnectionBudget::Admission::Accepted) {
    refusal_ = {"busy", admission == ConnectionBudget::Admission::TooMany
                            ? "Too many connections are open."
                            : "Too many connections from your address are open."};
    co_await refuse();
    co_return;
  }
  for (std::uint64_t number = 1;; ++number) {
    reader_.begin_request();
    idle_since_ms_ = IoThread::now_ms();
    connection_.enter(Phase::Idle, idle_since_ms_ + (number == 1 ? limits.header_ms : limits.idle_ms));
    std::int64_t body_began_ms = 0;
    bool body_wanted = true;
    for (;;) {
      if (connection_.phase() == Phase::Idle && reader_.has_begun()) {
        exchange_.begin(IoThread::now_ms());
        connection_.enter(Phase::Head, exchange_.began_ms() + limits.header_ms);
      }
      const RequestReader::Step step = connection_.phase() == Phase::Idle ? RequestReader::Step::Read : reader_.next();
      if (step == RequestReader::Step::Whole) break;
      if (step == RequestReader::Step::Ask) {
        api::BodyTerms terms;
        body_wanted = connection_.core().handler->wants_body(exchange_.request(), terms);
        if (body_wanted) {
          reader_.expect_body(ConnectionBudget::payer(connection_.seat().address(), terms.payer), terms.bytes_max);
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
        writer.begin_continue();
        if (!writer.write_now(transport) && !co_await connection_.write_rest(writer)) co_return;
        continue;
      }
      if (reader_.is_in_body()) {
        if (connection_.phase() != Phase::Body) body_began_ms = IoThread::now_ms();
        connection_.enter(Phase::Body, body_deadline_ms(limits, body_began_ms, reader_.body_bytes_received()));
      }
      Transport::Read read = transport.read_some(reader_.room());
      std::size_t bytes = co_await read;
      if (connection_.timed_out()) {
        if (connection_.phase() == Phase::Idle) co_return;
        const bool in_head = connection_.phase() == Phase::Head;
        if (in_head) reader_.give_up_head();
        refusal_ = {"request-timeout",
                    in_head ? "The header did not arrive in time." : "The body did not arrive in time."};
        co_await refuse();
        co_return;
      }
      if (bytes == 0 && read.error() == asio::error::operation_aborted && io.draining() && !connection_.is_aborted()) {
        // Woken by drain(): a request may have arrived just now, and deserves its answer.
        error_code ec;
        bytes = transport.read_now(read.into(), ec);
        if (ec) co_return;
      }
      if (bytes == 0) co_return;
      reader_.received(bytes);
    }
    exchange_.set_last(!body_wanted || !reader_.head().keep_alive || number >= limits.requests_per_connection_max);

    connection_.enter(Phase::Handling, exchange_.began_ms() + limits.request_ms);
    exchange_.call_handler();
    co_await exchange_.answer();
    if (connection_.is_aborted()) {
      finish(false);
      co_return;
    }

    if (io.draining()) exchange_.set_last(true);
    exchange_.check_upgrade();
    const api::Response& response = exchange_.response();
    bool whole = true;
    bool left = false;
    const bool has_body = reader_.head().method != api::Method::Head && may_have_body(response.status);
    if (response.source != nullptr && has_body) {
      whole = co_await send_pulled(exchange_);
    } else if (response.upgraded != nullptr || (response.pushed != nullptr && has_body)) {
      const Sent sent = co_await send_pushed(exchange_);
      whole = sent != Sent::Cut;
      left = sent == Sent::Left;
    } else {
      exchange_.hold_answer();
      exchange_.begin_answer();
      whole = writer.write_now(transport) || co_await connection_.write_rest(writer);
    }
    finish(whole);
    if (!whole || left) co_return;
    if (exchange_.is_last()) {
      co_await connection_.linger(reader_.scrap());
      co_return;
    }
  }
}

Task<> Session::refuse() {
  connection_.forgive_timeout();
  exchange_.set_last(true);
  exchange_.refuse(refusal_.slug, refusal_.detail);
  exchange_.begin_answer();
  const bool connection = connection_.seat().admission() != ConnectionBudget::Admission::Accepted;
  exchange_.log_limited(connection ? LogCause::ConnectionRefused : LogCause::RequestRefused,
                        connection ? "a connection was refused: " : "a request was refused: ", refusal_.detail);
  ResponseWriter& writer = exchange_.writer();
  const bool written = writer.write_now(connection_.transport()) || co_await connection_.write_rest(writer);
  finish(written);
  if (written) co_await connection_.linger(reader_.scrap());
}

void Session::finish(bool whole) {
  exchange_.account(whole);
  reader_.end_request();
  exchange_.end();
}

}  // namespace stele::net
