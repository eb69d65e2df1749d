#include "net/server/pushed_body.h"

#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "net/server/doorbell.h"
#include "net/server/upgrade_input.h"

namespace stele::net {

namespace {

using Body = api::PushedBody;
using Occasion = Body::Occasion;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// Why the body is asked, or why not.
class Attention {
 public:
  explicit Attention(Exchange& exchange)
      : exchange_(exchange),
        connection_(exchange.connection()),
        bell_(std::make_shared<Doorbell>(connection_)),
        body_(exchange.response().upgraded ? *exchange.response().upgraded : *exchange.response().pushed) {
    if (exchange.response().upgraded) {
      input_.emplace(*exchange.response().upgraded, connection_.transport(), exchange.reader().behind());
    }
    sent(IoThread::now_ms());
  }
  ~Attention() { bell_->disconnect(); }
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;

  [[nodiscard]] Body& body() const { return body_; }
  [[nodiscard]] const std::shared_ptr<Doorbell>& bell() const { return bell_; }

  enum class Verdict { Ask, Rest, Left, Cut };
  [[nodiscard]] Verdict look();
  /// After look().
  [[nodiscard]] Occasion occasion() const { return occasion_; }
  /// Whether the body ends as soon as it has nothing more.
  [[nodiscard]] bool is_last() const { return last_; }
  /// The body has more to give, and nothing speaks against that.
  void go_on() { occasion_ = Occasion::Woken; }
  /// The client has heard something, or the body had its chance.
  void sent(std::int64_t now_ms) { quiet_since_ms_ = now_ms; }
  /// Before the connection rests. Whether its socket is watched meanwhile.
  [[nodiscard]] bool prepare_rest();

 private:
  [[nodiscard]] Verdict ask(Occasion occasion, bool last = false) {
    occasion_ = occasion;
    last_ = last;
    return Verdict::Ask;
  }
  [[nodiscard]] Verdict look_at_input();
  [[nodiscard]] std::int64_t quiet_until_ms() const {
    const std::int64_t quiet_ms = body_.quiet_max().count();
    return quiet_ms > 0 ? quiet_since_ms_ + quiet_ms : kNever;
  }

  Exchange& exchange_;
  Connection& connection_;
  const std::shared_ptr<Doorbell> bell_;
  Body& body_;
  std::optional<UpgradeInput> input_;  ///< of an upgrade
  Occasion occasion_ = Occasion::Woken;
  bool last_ = false;
  bool unread_ = false;  ///< the client has sent something that must wait: the socket cannot tell of its end
  std::int64_t quiet_since_ms_ = 0;
};

Attention::Verdict Attention::look() {
  if (connection_.is_aborted()) return Verdict::Cut;
  if (last_) return Verdict::Ask;
  if (connection_.io().draining()) return ask(Occasion::ShuttingDown, true);
  if (input_) {
    const Verdict verdict = look_at_input();
    if (verdict != Verdict::Rest) return verdict;
  } else {
    if (bell_->take_readable()) {
      connection_.look_at_peer();
      if (connection_.is_aborted()) return Verdict::Cut;
      unread_ = true;
    }
    if (connection_.peer_left()) return Verdict::Left;
    if (bell_->take_ring()) return ask(Occasion::Woken);
  }
  return IoThread::now_ms() >= quiet_until_ms() ? ask(Occasion::Quiet) : Verdict::Rest;
}

Attention::Verdict Attention::look_at_input() {
  const bool rung = bell_->take_ring();
  Result<bool> called = input_->offer_left(rung);
  bool fed = called && *called;
  if (called && input_->is_hungry() && (bell_->take_readable() || connection_.transport().has_data())) {
    called = input_->read();
    fed = fed || (called && *called);
  }
  if (!called) {
    exchange_.log_limited(LogCause::RequestRefused,
                          "an upgraded connection was broken off: ", called.error().describe());
    return Verdict::Cut;
  }
  if (input_->has_ended()) return ask(Occasion::ClientEnded, true);
  return rung || fed ? ask(Occasion::Woken) : Verdict::Rest;
}

bool Attention::prepare_rest() {
  const bool watched = input_ ? input_->is_hungry() : !unread_;
  if (watched) bell_->watch();
  exchange_.writer().shed_buffers();
  connection_.enter(Connection::Phase::Waiting, quiet_until_ms());
  return watched;
}

/// Asks the body for a piece, on this thread or the read pool's.
struct Question {
  Exchange& exchange;
  Body& body;
  Occasion occasion = Occasion::Woken;
  std::optional<Result<Body::Step>> answer{};

  void operator()() {
    const auto broken = [](std::string why, ErrorKind kind = ErrorKind::Io) {
      return Result<Body::Step>(Error{kind, std::move(why)});
    };
    try {
      answer.emplace(body.next(occasion, exchange.writer().piece()));
    } catch (const std::bad_alloc&) {
      answer.emplace(broken("there is no memory for a response body", ErrorKind::Busy));
    } catch (const std::exception& e) {
      answer.emplace(broken(std::string("a response body threw: ") + e.what()));
    } catch (...) {
      answer.emplace(broken("a response body threw something unknown"));
    }
  }
};

/// Instead of an answer that has not begun.
void refuse(Exchange& exchange, const Result<Body::Step>& answer) {
  if (answer) {
    exchange.replace_answer("busy", "Too many large answers are being sent at the moment.");
  } else if (answer.error().kind == ErrorKind::Closed) {
    exchange.replace_answer("unavailable", "The server shuts down.");
  } else if (answer.error().kind == ErrorKind::Busy) {
    exchange.replace_answer("busy", "There is no memory or thread for this request now.");
  } else {
    exchange.replace_answer("internal-error", "The request could not be handled.");
  }
  exchange.begin_answer();
}

}  // namespace

Task<Sent> send_pushed(Exchange& exchange) {
  using Verdict = Attention::Verdict;
  Connection& connection = exchange.connection();
  Transport& transport = connection.transport();
  ResponseWriter& writer = exchange.writer();
  const bool upgraded = exchange.response().upgraded != nullptr;
  Framing framing;
  framing.chunked = !upgraded && exchange.head().version == 11;
  if (upgraded) framing.upgrade_to = exchange.response().upgraded->protocol();
  if (!framing.chunked) exchange.set_last(true);
  framing.close = !upgraded && exchange.is_last();

  Attention attention(exchange);
  Body& body = attention.body();
  body.begin(attention.bell());
  Question question{exchange, body};
  bool begun = false;
  for (;;) {
    std::string& piece = writer.fresh_piece();
    question.occasion = attention.occasion();
    const bool elsewhere = body.may_block();
    // It has no request timeout: what it does is bounded, and ends when the server does.
    connection.enter(Connection::Phase::Pulling, kNever);
    if (elsewhere) {
      if (!co_await exchange.on_read_pool(question)) {
        question.answer.emplace(Error{ErrorKind::Closed, "the read pool has ended"});
      }
      if (connection.is_aborted()) co_return Sent::Cut;
    } else {
      question();
    }
    const Result<Body::Step>& answer = *question.answer;
    if (!answer || !exchange.hold_piece()) {
      if (!answer && answer.error().kind != ErrorKind::Closed) {
        exchange.log_limited(LogCause::RequestFailed, "a response body broke off: ", answer.error().describe());
      }
      if (!begun) {
        refuse(exchange, answer);
        if (writer.write_now(transport)) co_return Sent::Whole;
        co_return co_await connection.write_rest(writer) ? Sent::Whole : Sent::Cut;
      }
      // Without chunks an orderly end would look like a whole body.
      if (!framing.chunked) connection.reset_at_end();
      co_return Sent::Cut;
    }
    if (connection.io().draining()) exchange.set_last(true);
    const bool more = *answer == Body::Step::More || (*answer == Body::Step::Wait && !attention.is_last());
    if (!begun || !piece.empty() || !more) {
      if (!begun) exchange.begin_stream(framing);
      begun = true;
      writer.begin_piece(more);
      if (!writer.is_written() && !writer.write_now(transport) && !co_await connection.write_rest(writer)) {
        co_return Sent::Cut;
      }
      attention.sent(IoThread::now_ms());
    } else if (question.occasion == Occasion::Quiet) {
      attention.sent(IoThread::now_ms());
    }
    if (!more) co_return Sent::Whole;
    if (*answer == Body::Step::More && !elsewhere) co_await exchange.next_turn();

    Verdict verdict = attention.look();
    while (verdict == Verdict::Rest && *answer == Body::Step::Wait) {
      co_await connection.rest(attention.prepare_rest());
      verdict = attention.look();
    }
    if (verdict == Verdict::Left) co_return Sent::Left;
    if (verdict == Verdict::Cut) co_return Sent::Cut;
    if (verdict == Verdict::Rest) attention.go_on();
  }
}

}  // namespace stele::net
