#include "net/webhook/webhook_exchange.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <new>
#include <utility>

#include "api/subscriptions/webhook_headers.h"
#include "engine/base/clock.h"
#include "net/http/request_head.h"
#include "net/log/log.h"
#include "net/webhook/retry_after.h"

namespace stele::net {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds timeout_min{1}, timeout_max{60'000};
constexpr std::size_t addresses_tried_max = 8;
constexpr std::size_t head_bytes_usual = 500;
constexpr std::size_t joined_bytes_max = 4096;

}  // namespace

WebhookExchange::WebhookExchange(const std::shared_ptr<WebhookCore>& core, CallbackUrls::Parsed url,
                                 api::WebhookRequest request)
    : core_(*core),
      weak_core_(core),
      parsed_url_(std::move(url)),
      owner_(std::move(request.owner)),
      timeout_(std::clamp(request.timeout, timeout_min, timeout_max)) {
  compose(request);
  tls_texts_ = std::move(request.tls);
  // To copy a short one costs less than to send from two places.
  if (request.body.size() <= joined_bytes_max) {
    head_ += request.body;
  } else {
    body_ = std::move(request.body);
  }
}

void WebhookExchange::drop_request() noexcept {
  head_ = {};
  body_ = {};
}

const std::string& WebhookExchange::host() const {
  static const std::string none;
  return *parsed_url_ ? url().host : none;
}

void WebhookExchange::start() {
  try {
    task_ = run();
  } catch (const std::bad_alloc&) {
    return refuse(Outcome::Busy, "there is no memory for it");
  }
  task_.start();
}

void WebhookExchange::refuse(Outcome outcome, std::string why) {
  answer_.outcome = outcome;
  answer_.detail = std::move(why);
  finish();
}

void WebhookExchange::stop() {
  stopped_ = true;
  interrupt();
}

void WebhookExchange::seated() {
  try {
    core_.seated.push_back(shared_from_this());
  } catch (const std::bad_alloc&) {
    // Its time runs out, and it notices then.
  }
}

void WebhookExchange::wake() {
  if (waiting_) std::exchange(waiting_, {}).resume();
}

void WebhookExchange::allow_until(Clock::time_point deadline) {
  expired_ = false;
  core_.deadlines.set(*this, deadline);
}

void WebhookExchange::too_late() {
  expired_ = true;
  interrupt();
}

void WebhookExchange::interrupt() {
  if (connection_) connection_->close();
  wake();
}

Task<> WebhookExchange::run() {
  try {
    co_await attempt();
  } catch (const std::exception& e) {
    log_error("sending a webhook threw: {}", e.what());
    // Most likely there is no memory, so that nothing here may need any.
    answer_.outcome = Outcome::Busy;
    answer_.detail.clear();
  }
  finish();
}

Task<> WebhookExchange::attempt() {
  if (!prepare()) co_return;
  allow_until(began_ + timeout_);
  core_.pool.take(*this);
  while (!has_seat && !is_over()) co_await Woken{*this};
  if (!has_seat) {
    fail_early("too many others were sent there or elsewhere all the time", Outcome::Cancelled, "");
    co_return;
  }
  connection_ = std::move(kept);
  bool is_kept = connection_ != nullptr;
  for (;;) {
    if (!connection_) co_await connect();
    if (!connection_) co_return;
    allow_until(Clock::now() + timeout_);
    AnswerReader reader(core_.answer_bytes_max);
    const AnswerReader::State state = co_await connection_->exchange(head_, body_, reader);
    // Receivers close kept connections when they please, and that crosses with what is sent.
    const bool is_worn = is_kept && state == AnswerReader::State::BrokenOff && !reader.has_begun() && !is_over();
    if (!is_worn) {
      conclude(state, reader);
      co_return;
    }
    connection_.reset();
    is_kept = false;
  }
}

void WebhookExchange::compose(const api::WebhookRequest& request) {
  if (!*parsed_url_) {
    objection_ = parsed_url_->error().message;
    return;
  }
  head_.reserve(head_bytes_usual + url().target.size() + std::min(request.body.size(), joined_bytes_max));
  head_.append("POST ").append(url().target).append(" HTTP/1.1\r\nHost: ").append(url().authority);
  head_.append("\r\nContent-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  bool has_type = false, has_agent = false;
  for (const auto& [name, value] : request.headers) {
    objection_ = api::webhook_header_objection(name, value);
    if (!objection_.empty()) return;
    head_.append(name).append(": ").append(value).append("\r\n");
    has_type = has_type || same_ignoring_case(name, "Content-Type");
    has_agent = has_agent || same_ignoring_case(name, "User-Agent");
  }
  if (!has_type) head_ += "Content-Type: application/json\r\n";
  if (!has_agent) head_ += "User-Agent: Stele/" STELE_VERSION "\r\n";
  head_ += "\r\n";
}

/// False if no attempt can be made.
bool WebhookExchange::prepare() {
  if (!objection_.empty()) {
    fail(Outcome::Unsendable, objection_);
    return false;
  }
  endpoint = url().receiver;
  if (!url().tls) return true;
  const std::string key = TlsContexts::key_of(tls_texts_);
  auto context = core_.tls.get(key, tls_texts_);
  if (!context) {
    fail(Outcome::Unsendable, context.error().describe());
    return false;
  }
  tls_ = std::move(context).value();
  endpoint += " " + key;
  return true;
}

Task<> WebhookExchange::look_up(Clock::time_point deadline) {
  resolved_.reset();
  if (url().address) {
    resolved_ = ResolvedName{{*url().address}, {}};
    co_return;
  }
  allow_until(deadline);
  const NameQuestion question{url().host, owner_ ? *owner_ : std::string(), deadline};
  core_.resolver->resolve(question, [weak_core = weak_core_, weak = weak_from_this()](ResolvedName result) {
    const std::shared_ptr<WebhookCore> core = weak_core.lock();
    if (!core) return;
    try {
      asio::post(core->context, [weak, result = std::move(result)]() mutable {
        const std::shared_ptr<WebhookExchange> self = weak.lock();
        if (!self) return;
        self->resolved_ = std::move(result);
        self->wake();
      });
    } catch (const std::bad_alloc&) {
      // It is as if the name server had not answered.
    }
  });
  while (!resolved_ && !is_over()) co_await Woken{*this};
}

/// The addresses that may be tried. Without one, it has failed.
std::vector<asio::ip::tcp::endpoint> WebhookExchange::judge() {
  std::vector<asio::ip::tcp::endpoint> allowed;
  std::string objection;
  const std::vector<asio::ip::address> own = interface_addresses();
  for (const asio::ip::address& address : resolved_->addresses) {
    const asio::ip::tcp::endpoint candidate(address, url().port);
    std::string why = core_.guard.objection(candidate, own);
    if (why.empty()) {
      allowed.push_back(candidate);
    } else if (objection.empty()) {
      objection = std::move(why);
    }
    if (allowed.size() == addresses_tried_max) break;
  }
  if (!allowed.empty()) return allowed;
  if (objection.empty()) {
    fail(Outcome::NameFailed, resolved_->failure.empty() ? "the name has no address" : resolved_->failure);
  } else {
    fail(Outcome::AddressRefused, objection);
  }
  return allowed;
}

Task<> WebhookExchange::connect() {
  const Clock::time_point deadline = Clock::now() + core_.connect_time_max;
  const std::string too_late = fmt::format("no connection within {} ms", core_.connect_time_max.count());
  co_await look_up(deadline);
  if (is_over()) {
    fail_early(too_late, Outcome::Cancelled, "");
    co_return;
  }
  const std::vector<asio::ip::tcp::endpoint> endpoints = judge();
  if (endpoints.empty()) co_return;
  std::string why;
  for (std::size_t i = 0; i < endpoints.size() && !connection_; ++i) {
    // An address that nobody answers at leaves time for the others.
    const auto left = deadline - Clock::now();
    allow_until(Clock::now() + left / static_cast<std::int64_t>(endpoints.size() - i));
    connection_ = std::make_unique<WebhookConnection>(core_.context);
    core_.connections_started.fetch_add(1, std::memory_order_relaxed);
    const boost::system::error_code ec = co_await connection_->connect(endpoints[i]);
    if (!ec && !is_over()) break;
    connection_.reset();
    why = fmt::format("{}: {}", endpoints[i].address().to_string(), ec.message());
    if (stopped_) break;
  }
  if (!connection_) {
    fail_early(too_late, Outcome::ConnectFailed, why);
    co_return;
  }
  if (!tls_) co_return;
  allow_until(deadline);
  // A name's dot at the end is no part of it in TLS (RFC 6066, 3).
  const std::string name = url().host.ends_with('.') ? url().host.substr(0, url().host.size() - 1) : url().host;
  const bool done = co_await connection_->begin_tls(tls_, name);
  if (done && !is_over()) co_return;
  fail_early(too_late, Outcome::TlsFailed, connection_->failure());
  connection_.reset();
}

void WebhookExchange::conclude(AnswerReader::State state, AnswerReader& reader) {
  using State = AnswerReader::State;
  switch (state) {
    case State::Complete:
      may_keep_ = !is_over() && reader.may_keep();
      answer_.outcome = Outcome::Answered;
      break;
    case State::Cut:
      answer_.outcome = Outcome::Answered;
      answer_.body_cut = true;
      break;
    case State::HeadTooLarge:
      fail(Outcome::HeadTooLarge, "the head of the answer has more than 16 KiB");
      break;
    case State::NotHttp:
      fail(Outcome::NotHttp, "what came back is no answer in HTTP/1.1");
      break;
    case State::BrokenOff:
    case State::NeedsMore: {
      // With TLS 1.3 a receiver says only now that it does not want this client.
      const std::string alert = reader.has_begun() ? std::string() : connection_->failure();
      const bool is_alert = alert.find("alert") != std::string::npos;
      fail_early(fmt::format("no whole answer within {} ms", timeout_.count()),
                 is_alert ? Outcome::TlsFailed : Outcome::BrokenOff,
                 is_alert ? alert
                          : std::string(reader.has_begun() ? "the connection ended within the answer"
                                                           : "the connection ended without an answer"));
    }
  }
  answer_.status = reader.status();
  answer_.body = std::move(reader.body());
  if (!reader.retry_after().empty()) {
    answer_.retry_after = parse_retry_after(reader.retry_after(), system_clock().now().micros / 1'000'000);
  }
}

void WebhookExchange::fail(Outcome outcome, std::string_view why) {
  answer_.outcome = outcome;
  answer_.detail = !*parsed_url_ ? std::string(why) : fmt::format("{} port {}: {}", url().host, url().port, why);
}

void WebhookExchange::fail_early(std::string_view too_late, Outcome else_outcome, std::string_view else_why) {
  if (stopped_) {
    fail(Outcome::Cancelled, "the server stops");
  } else if (expired_) {
    fail(Outcome::TimedOut, too_late);
  } else {
    fail(else_outcome, else_why);
  }
}

void WebhookExchange::finish() {
  core_.deadlines.clear(*this);
  if (!may_keep_) connection_.reset();
  if (has_seat) {
    core_.pool.give_back(*this, std::move(connection_));
  } else {
    core_.pool.leave(*this);
  }
  answer_.duration = std::chrono::duration_cast<milliseconds>(Clock::now() - began_);
  // Its place is free before anybody hears that it has ended: who waited for that may come with the next one.
  const auto done = std::move(done_);
  api::WebhookAnswer answer = std::move(answer_);
  core_.on_end(*this);
  try {
    done(std::move(answer));
  } catch (const std::exception& e) {
    log_error("what was to hear of a webhook's answer threw: {}", e.what());
  } catch (...) {
    log_error("what was to hear of a webhook's answer threw something unknown");
  }
}

}  // namespace stele::net
