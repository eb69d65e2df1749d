#include "net/webhook/webhook_client.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/memory_reserve.h"
#include "engine/base/mutex.h"
#include "net/log/log.h"
#include "net/webhook/webhook_exchange.h"

namespace stele::net {

namespace asio = boost::asio;
using SendOutcome = api::WebhookAnswer::Outcome;

namespace {
constexpr std::chrono::milliseconds sweep_interval{250};
}  // namespace

class WebhookClient::Impl {
 public:
  explicit Impl(WebhookClientOptions options);

  void send(api::WebhookRequest request, Done done);
  void stop();
  void add_own_port(std::uint16_t port);
  [[nodiscard]] std::string address_objection(const asio::ip::tcp::endpoint& endpoint) const;
  [[nodiscard]] WebhookClientMetrics metrics() const;

 private:
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                                           asio::io_context::executor_type>;
  [[nodiscard]] CallbackUrls::Parsed parsed(const std::string& url);
  void run();
  void look();
  void take_arrivals();
  void end_if_done();
  void wait_for_sweep();

  const WebhookClientOptions options_;
  const std::shared_ptr<NameResolver> resolver_;
  const std::shared_ptr<WebhookCore> core_;

  mutable Mutex mutex_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  WebhookExchange::Exchanges arrivals_ GUARDED_BY(mutex_);
  WebhooksUnderWay under_way_ GUARDED_BY(mutex_);
  AddressGuard guard_ GUARDED_BY(mutex_);
  Mutex urls_mutex_;
  CallbackUrls urls_ GUARDED_BY(urls_mutex_);
  std::atomic<std::uint64_t> connections_{0};

  // Its thread's.
  WebhookExchange::Exchanges running_;
  WebhookExchange::Exchanges ended_;
  bool is_cancelling_ = false;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  Timer timer_;
  std::thread thread_;
};

WebhookClient::Impl::Impl(WebhookClientOptions options)
    : options_(std::move(options)),
      resolver_(options_.resolver ? options_.resolver : std::make_shared<SystemResolver>()),
      core_(std::make_shared<WebhookCore>(options_.connections)),
      under_way_(options_.bounds),
      guard_(options_.guard),
      work_(core_->context.get_executor()),
      timer_(core_->context) {
  core_->resolver = resolver_.get();
  core_->guard = options_.guard;
  core_->connect_time_max = options_.connect_time_max;
  core_->answer_bytes_max = options_.answer_bytes_max;
  core_->on_end = [this](WebhookExchange& exchange) {
    if (!exchange.is_beyond_bounds) {
      const MutexLock lock(mutex_);
      under_way_.remove(exchange.host(), exchange.body_bytes);
    }
    ended_.splice(ended_.end(), running_, exchange.place);
    if (ended_.size() > 1) return;
    try {
      asio::post(core_->context, [this] { look(); });
    } catch (const std::bad_alloc&) {
      // The next sweep does it.
    }
  };
  wait_for_sweep();
  thread_ = std::thread([this] { run(); });
  (void)::pthread_setname_np(thread_.native_handle(), "stele-webhooks");
}

void WebhookClient::Impl::run() {
  prepare_thread_memory();
  while (!core_->context.stopped()) {
    try {
      core_->context.run();
    } catch (const std::exception& e) {
      log_error("the thread of webhooks caught: {}", e.what());
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // somebody may give memory back
    }
  }
}

void WebhookClient::Impl::send(api::WebhookRequest request, Done done) {
  const std::size_t bytes = request.body.size();
  // Not with the mutex held, which the client's thread needs for each answer.
  CallbackUrls::Parsed url = parsed(request.url);
  WebhookExchange::Exchanges one;
  one.push_back(std::make_shared<WebhookExchange>(core_, std::move(url), std::move(request)));
  WebhookExchange& exchange = *one.front();
  exchange.place = one.begin();
  exchange.body_bytes = bytes;
  MutexLock lock(mutex_);
  if (!stopping_) {
    exchange.is_beyond_bounds = !under_way_.has_room(exchange.host(), bytes);
    if (arrivals_.empty()) asio::post(core_->context, [this] { look(); });
    if (!exchange.is_beyond_bounds) under_way_.add(exchange.host(), bytes);
    if (exchange.is_beyond_bounds) exchange.drop_request();
    exchange.answer_to(std::move(done));
    arrivals_.splice(arrivals_.end(), one);
    return;
  }
  lock.unlock();
  api::WebhookAnswer answer;
  answer.detail = "the server stops";
  done(std::move(answer));
}

CallbackUrls::Parsed WebhookClient::Impl::parsed(const std::string& url) {
  const MutexLock lock(urls_mutex_);
  return urls_.parse(url);
}

/// What is new, what is over, and whether that was all.
void WebhookClient::Impl::look() {
  ended_.clear();
  for (const auto& exchange : std::exchange(core_->seated, {})) exchange->wake();
  take_arrivals();
  connections_.store(core_->pool.connections(), std::memory_order_relaxed);
  end_if_done();
}

void WebhookClient::Impl::take_arrivals() {
  WebhookExchange::Exchanges arrived;
  {
    const MutexLock lock(mutex_);
    arrived.swap(arrivals_);
    is_cancelling_ = stopping_;
    core_->guard = guard_;
  }
  while (!arrived.empty()) {
    WebhookExchange& exchange = *arrived.front();
    running_.splice(running_.end(), arrived, arrived.begin());
    if (is_cancelling_) {
      exchange.refuse(SendOutcome::Cancelled, "the server stops");
    } else if (exchange.is_beyond_bounds) {
      exchange.refuse(SendOutcome::Busy, "too many webhooks are under way to this receiver or to all of them");
    } else {
      exchange.start();
    }
  }
  if (!is_cancelling_) return;
  for (auto at = running_.begin(); at != running_.end();) {
    const auto here = at++;
    (*here)->stop();
  }
}

void WebhookClient::Impl::end_if_done() {
  if (!is_cancelling_ || !running_.empty()) return;
  ended_.clear();
  core_->pool.close_kept();
  timer_.cancel();
  work_.reset();
  core_->context.stop();
}

void WebhookClient::Impl::wait_for_sweep() {
  timer_.expires_after(sweep_interval);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (ec) return;
    core_->pool.sweep(ConnectionPool::Clock::now());
    core_->deadlines.look();
    look();
    if (!core_->context.stopped()) wait_for_sweep();
  });
}

void WebhookClient::Impl::stop() {
  STELE_CHECK(std::this_thread::get_id() != thread_.get_id());
  {
    const MutexLock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  try {
    asio::post(core_->context, [this] { look(); });
  } catch (const std::bad_alloc&) {
    // The next sweep does it.
  }
  thread_.join();
}

void WebhookClient::Impl::add_own_port(std::uint16_t port) {
  const MutexLock lock(mutex_);
  guard_.own_ports.push_back(port);
}

std::string WebhookClient::Impl::address_objection(const asio::ip::tcp::endpoint& endpoint) const {
  const std::vector<asio::ip::address> own = interface_addresses();
  const MutexLock lock(mutex_);
  return guard_.objection(endpoint, own);
}

WebhookClientMetrics WebhookClient::Impl::metrics() const {
  WebhookClientMetrics metrics;
  metrics.connections = connections_.load(std::memory_order_relaxed);
  metrics.connections_started = core_->connections_started.load(std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  metrics.requests = under_way_.requests();
  return metrics;
}

WebhookClient::WebhookClient(WebhookClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

WebhookClient::~WebhookClient() { stop(); }

void WebhookClient::send(api::WebhookRequest request, Done done) { impl_->send(std::move(request), std::move(done)); }

std::string WebhookClient::url_objection(std::string_view url) const {
  const auto parsed = CallbackUrl::parse(url);
  if (!parsed) return parsed.error().message;
  return parsed->address ? impl_->address_objection({*parsed->address, parsed->port}) : std::string();
}

std::string WebhookClient::tls_objection(const api::WebhookTls& tls) const {
  const auto made = TlsContexts::make(tls);
  return made ? std::string() : made.error().describe();
}

void WebhookClient::stop() { impl_->stop(); }

void WebhookClient::add_own_port(std::uint16_t port) { impl_->add_own_port(port); }

WebhookClientMetrics WebhookClient::metrics() const { return impl_->metrics(); }

}  // namespace stele::net
