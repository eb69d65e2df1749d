#include "net/server/pulled_body.h"

#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace stele::net {

namespace {

constexpr const char* kGivenUp =
    "The search was given up: the server shuts down, or the client has closed its side of the connection.";

/// What the read pool does.
struct Pull {
  Exchange& exchange;
  std::optional<Result<bool>> more{};  ///< whether anything follows behind the piece

  void operator()() {
    const auto broken = [](std::string why) { return Result<bool>(Error{ErrorKind::Io, std::move(why)}); };
    try {
      if (exchange.connection().is_cut_off()) {
        more.emplace(broken("the connection is closed"));
      } else {
        more.emplace(exchange.response().source->next(exchange.writer().piece()));
      }
    } catch (const std::bad_alloc&) {
      more.emplace(Error{ErrorKind::Busy, "there is no memory for a response body"});
    } catch (const std::exception& e) {
      more.emplace(broken(std::string("a response body threw: ") + e.what()));
    } catch (...) {
      more.emplace(broken("a response body threw something unknown"));
    }
  }
};

}  // namespace

Task<bool> send_pulled(Exchange& exchange) {
  Connection& connection = exchange.connection();
  ResponseWriter& writer = exchange.writer();
  const bool chunked = exchange.head().version == 11;
  if (!chunked) exchange.set_last(true);
  Pull pull{exchange};
  bool first = true;
  bool more = true;
  while (more) {
    std::string& piece = writer.fresh_piece();
    connection.enter(Connection::Phase::Pulling, IoThread::now_ms() + connection.limits().request_ms);
    if (!co_await exchange.on_read_pool(pull)) pull.more.emplace(Error{ErrorKind::Closed, "the read pool has ended"});
    if (connection.is_aborted()) co_return false;
    if (connection.io().draining()) exchange.set_last(true);
    const Result<bool>& pulled = *pull.more;
    if (!pulled || !exchange.hold_piece()) {
      const bool given_up = !pulled && pulled.error().kind == ErrorKind::Closed;
      if (!pulled && !given_up) {
        exchange.log_limited(LogCause::RequestFailed, "a response body broke off: ", pulled.error().describe());
      }
      if (first) {
        if (pulled) {
          exchange.replace_answer("busy", "Too many large answers are being sent at the moment.");
        } else if (given_up) {
          exchange.replace_answer("unavailable", kGivenUp);
        } else if (pulled.error().kind == ErrorKind::Busy) {
          exchange.replace_answer("busy", "There is no memory for this request now.");
        } else {
          exchange.replace_answer("storage-error", "Stored bytes that the answer needs cannot be read.");
        }
        exchange.begin_answer();
        if (writer.write_now(connection.transport())) co_return true;
        co_return co_await connection.write_rest(writer);
      }
      // Without chunks an orderly end would look like a whole body.
      if (!chunked) connection.reset_at_end();
      co_return false;
    }
    more = *pulled;
    if (piece.empty() && more && !first) continue;
    if (first) {
      Framing framing;
      framing.chunked = chunked;
      framing.close = exchange.is_last();
      exchange.begin_stream(framing);
      first = false;
    }
    writer.begin_piece(more);
    if (!writer.is_written() && !writer.write_now(connection.transport()) && !co_await connection.write_rest(writer)) {
      co_return false;
    }
  }
  co_return true;
}

}  // namespace stele::net
