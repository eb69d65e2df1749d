#include "net/server/exchange.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <utility>

#include "api/access/principal.h"
#include "api/http/field_list.h"
#include "net/http/response_head.h"

namespace stele::net {

namespace {

std::int64_t micros_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Whether a field that holds a list of tokens has that one; `token` is in lower case.
bool lists(std::string_view field, std::string_view token) {
  while (!field.empty()) {
    if (api::same_token(api::take_part(field, ','), token)) return true;
  }
  return false;
}

constexpr const char* kTooManyAnswers = "Too many large answers are being sent at the moment.";

}  // namespace

// What a handler holds to answer: small and trivial enough for std::function to keep it without an allocation.
struct Exchange::ReplyTo {
  Exchange* exchange;
  std::uint64_t ticket;
  void operator()(api::Response response) const { exchange->reply(ticket, std::move(response)); }
};

bool Exchange::abandoned() const {
  return is_cut_off() || connection_.peer_left() || connection_.core().shutting_down.load(std::memory_order_relaxed);
}

bool Exchange::may_upgrade_to(std::string_view protocol) const {
  // RFC 9110, 7.8. With a body it would be for the handler to say where what is behind it begins.
  const bool has_body = head().chunked || head().content_length.value_or(0) > 0;
  return head().version == 11 && head().method != api::Method::Head && !has_body &&
         lists(header("Connection"), "upgrade") && lists(header("Upgrade"), protocol);
}

void Exchange::begin(std::int64_t now_ms) {
  began_ms_ = now_ms;
  began_micros_ = micros_now();
}

void Exchange::call_handler() {
  const std::uint64_t ticket = ++tickets_;
  delivered_ = false;
  ticket_open_.store(ticket, std::memory_order_relaxed);
  try {
    connection_.core().handler->handle(*this, api::Reply(ReplyTo{this, ticket}));
    return;
  } catch (const std::bad_alloc&) {
    return reply(ticket, own_answer("busy", "There is no memory for this request now."));
  } catch (const std::exception& e) {
    log_limited(LogCause::RequestFailed, "a request handler threw: ", e.what());
  } catch (...) {
    log_limited(LogCause::RequestFailed, "a request handler threw something unknown");
  }
  reply(ticket, own_answer("internal-error", "The request could not be handled."));
}

void Exchange::reply(std::uint64_t ticket, api::Response&& response) {
  if (!ticket_open_.compare_exchange_strong(ticket, 0, std::memory_order_acq_rel)) return;
  response_ = std::move(response);
  IoThread& io = connection_.io();
  if (!io.is_current()) {
    post_delivery();
  } else if (waiting_) {
    io.deliver_soon(this);
  } else {
    delivered_ = true;  // inside handle()
  }
}

/// The exchange may be gone when this returns.
void Exchange::post_delivery() {
  IoThread& io = connection_.io();
  try {
    io.post([this] { deliver(); });
  } catch (const std::bad_alloc&) {
    undelivered_.store(true, std::memory_order_release);  // tick() finds it
  }
}

void Exchange::deliver() {
  delivered_ = true;
  if (waiting_) std::exchange(waiting_, {}).resume();
}

void Exchange::tick() {
  if (undelivered_.load(std::memory_order_relaxed) && undelivered_.exchange(false, std::memory_order_acquire)) {
    deliver();
  }
}

api::Response Exchange::own_answer(std::string_view slug, std::string detail) const {
  api::Response answer = api::problem_response(slug, std::move(detail));
  connection_.core().handler->complete(*this, answer);
  return answer;
}

void Exchange::refuse(std::string_view slug, std::string detail) {
  response_ = own_answer(slug, std::move(detail));
  connection_.core().handler->note_refusal(response_.status);
}

void Exchange::replace_answer(std::string_view slug, std::string detail) {
  api::Response answer = own_answer(slug, std::move(detail));
  answer.route = response_.route;
  answer.principal = std::move(response_.principal);
  response_ = std::move(answer);
}

std::string Exchange::payer() const {
  return ConnectionBudget::payer(connection_.seat().address(),
                                 response_.principal ? std::string_view(response_.principal->name) : "");
}

void Exchange::check_upgrade() {
  if (response_.upgraded == nullptr) return;
  if (may_upgrade_to(response_.upgraded->protocol())) {
    response_.status = 101;
    response_.content_type = {};
    last_ = true;
    return;
  }
  replace_answer("internal-error", "The request could not be handled.");
  response_.internal_error = "a request was to be upgraded that does not ask for it";
}

/// A reader may take its time over a large answer: all that wait for their readers must fit into the budget. An answer
/// that says what was stored is never refused; it leaves less for others.
void Exchange::hold_answer() {
  const std::size_t bytes = response_.body.capacity();
  if (!writer_.must_hold(bytes) || writer_.hold(bytes, payer())) return;
  if (head().method == api::Method::Get || head().method == api::Method::Head) {
    replace_answer("busy", kTooManyAnswers);
  } else {
    writer_.force_hold(bytes, payer());
  }
}

bool Exchange::hold_piece() {
  const std::size_t bytes = writer_.piece().capacity();
  return !writer_.must_hold(bytes) || writer_.hold(bytes, payer());
}

void Exchange::identify() {
  if (response_.problem == nullptr && !connection_.core().access_log) return;
  response_.headers.emplace_back("X-Request-Id", connection_.io().next_request_id());
}

void Exchange::begin_answer() {
  identify();
  Framing framing;
  framing.close = last_;
  framing.keep_alive = !last_ && head().version == 10;
  writer_.begin(response_, framing, connection_.io().date(), head().method != api::Method::Head);
}

void Exchange::begin_stream(Framing framing) {
  identify();
  writer_.begin_stream(response_, framing, connection_.io().date());
}

LoggedRequest Exchange::logged() const {
  // While a handler has the request, the answer is not ours to look at.
  const bool answered = connection_.phase() != Connection::Phase::Handling || delivered_;
  return {reader_, answered ? &response_ : nullptr, connection_.seat().address()};
}

void Exchange::log_limited(LogCause cause, std::string_view message, std::string_view detail) noexcept {
  log_rate_limited(connection_.core().log, logged(), cause, IoThread::now_ms(), message, detail);
}

void Exchange::account(bool whole) {
  ServerCore& core = connection_.core();
  const std::int64_t micros = began_micros_ == 0 ? 0 : std::max<std::int64_t>(micros_now() - began_micros_, 1);
  // How long an answer took is not known if the client left before its end, and says nothing if it lasts as long as
  // the client likes.
  const bool timed = whole && response_.pushed == nullptr && response_.upgraded == nullptr;
  connection_.io().counts().record(response_, head().method, timed ? static_cast<std::uint64_t>(micros) * 1000 : 0);
  if (!whole) core.traffic->connections().answers_cut.fetch_add(1, std::memory_order_relaxed);
  if (response_.status == 401 || response_.status == 403)
    log_limited(LogCause::AccessDenied, "a request was denied access");
  if (!response_.internal_error.empty())
    log_limited(LogCause::RequestFailed, "a request failed: ", response_.internal_error);
  if (core.access_log) log_access(*core.access_log, logged(), writer_.body_bytes_written(), micros, whole);
}

void Exchange::end() {
  began_micros_ = 0;
  response_.headers.clear();
  response_.route = nullptr;
  response_.problem = nullptr;
  response_.principal.reset();
  response_.source.reset();
  response_.pushed.reset();
  response_.upgraded.reset();
  response_.internal_error.clear();
  std::string().swap(response_.body);  // the next answer brings its own
  writer_.end_answer();
}

}  // namespace stele::net
