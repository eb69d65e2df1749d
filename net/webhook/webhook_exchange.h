#pragma once
// One webhook on its way: its turn, the look-up, the guard, the connection, request and answer, against the clock.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/subscriptions/webhook_sender.h"
#include "net/server/task.h"
#include "net/webhook/address_guard.h"
#include "net/webhook/callback_urls.h"
#include "net/webhook/connection_pool.h"
#include "net/webhook/name_resolver.h"
#include "net/webhook/tls_contexts.h"
#include "net/webhook/webhook_deadlines.h"

namespace stele::net {

class WebhookExchange;

/// What all of a client's exchanges share. The context's thread only, but for what is atomic.
struct WebhookCore {
  explicit WebhookCore(const ConnectionBounds& bounds) : pool(bounds) {}

  boost::asio::io_context context{1};
  WebhookDeadlines deadlines{context};
  ConnectionPool pool;
  TlsContexts tls;
  NameResolver* resolver = nullptr;  ///< not owned, so that the last owner of a core may be one of its threads
  AddressGuard guard;
  std::chrono::milliseconds connect_time_max{0};
  std::size_t answer_bytes_max = 0;
  std::atomic<std::uint64_t> connections_started{0};
  /// An exchange has answered: it is to be destroyed once what runs now has returned, and who has its seat by then is
  /// to be woken.
  std::function<void(WebhookExchange&)> on_end;
  std::vector<std::shared_ptr<WebhookExchange>> seated{};
};

/// The context's thread only.
class WebhookExchange final : public ConnectionPool::Waiter,
                              public WebhookDeadlines::Party,
                              public std::enable_shared_from_this<WebhookExchange> {
 public:
  using Outcome = api::WebhookAnswer::Outcome;
  using Exchanges = std::list<std::shared_ptr<WebhookExchange>>;

  /// Any thread; the next two as well, until it is started. `core` outlives it. What is left of the request is one
  /// text, so that the strings of which it was made go where they came from.
  WebhookExchange(const std::shared_ptr<WebhookCore>& core, CallbackUrls::Parsed url, api::WebhookRequest request);
  void answer_to(api::WebhookSender::Done done) noexcept { done_ = std::move(done); }
  /// It will be refused.
  void drop_request() noexcept;
  ~WebhookExchange() override { core_.deadlines.clear(*this); }
  WebhookExchange(const WebhookExchange&) = delete;

  void start();
  /// Instead of start(): answers without an attempt.
  void refuse(Outcome outcome, std::string why);
  /// Answers soon, with Cancelled if it is not too late.
  void stop();
  /// It may go on, if it is waiting for something.
  void wake();

  // The client's.
  Exchanges::iterator place{};
  bool is_beyond_bounds = false;
  std::size_t body_bytes = 0;
  /// Of its URL; empty if that is none.
  [[nodiscard]] const std::string& host() const;

 private:
  using Clock = ConnectionPool::Clock;
  /// co_await: until wake().
  struct Woken {
    WebhookExchange& exchange;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const noexcept { exchange.waiting_ = handle; }
    void await_resume() const noexcept {}
  };

  void seated() override;
  void too_late() override;
  /// From now on there is this much time. Ends what an earlier call allowed.
  void allow_until(Clock::time_point deadline);
  void interrupt();
  [[nodiscard]] bool is_over() const { return expired_ || stopped_; }
  /// Once it is known that it is one.
  [[nodiscard]] const CallbackUrl& url() const { return parsed_url_->value(); }

  Task<> run();
  Task<> attempt();
  /// The text that is sent; else `objection_`.
  void compose(const api::WebhookRequest& request);
  [[nodiscard]] bool prepare();
  /// Leaves connection_, else has failed.
  Task<> connect();
  Task<> look_up(Clock::time_point deadline);
  [[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> judge();
  void conclude(AnswerReader::State state, AnswerReader& reader);

  void fail(Outcome outcome, std::string_view why);
  /// For a phase that ended early: the clock, the stop, or `else_outcome`.
  void fail_early(std::string_view too_late, Outcome else_outcome, std::string_view else_why);
  void finish();

  WebhookCore& core_;
  const std::weak_ptr<WebhookCore> weak_core_;
  const CallbackUrls::Parsed parsed_url_;
  const std::shared_ptr<const std::string> owner_;
  std::string objection_;  ///< to what was to be sent; empty if there is none
  std::string head_;
  std::string body_;  ///< empty if it is with the head
  std::optional<api::WebhookTls> tls_texts_;
  api::WebhookSender::Done done_;
  const Clock::time_point began_ = Clock::now();
  const std::chrono::milliseconds timeout_;
  bool expired_ = false;
  bool stopped_ = false;
  std::coroutine_handle<> waiting_{};
  std::shared_ptr<SSL_CTX> tls_;
  std::optional<ResolvedName> resolved_;
  std::unique_ptr<WebhookConnection> connection_;
  bool may_keep_ = false;
  api::WebhookAnswer answer_;
  Task<> task_;
};

}  // namespace stele::net
