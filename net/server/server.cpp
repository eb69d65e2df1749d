#include "net/server/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "net/http/localhost.h"
#include "net/log/access_log.h"
#include "net/log/log.h"
#include "net/server/io_thread.h"
#include "net/server/read_pool.h"
#include "net/server/session.h"

namespace stele::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

std::size_t cores() { return std::max<std::size_t>(std::thread::hardware_concurrency(), 1); }

/// Out of descriptors or memory: trying again at once would only spin.
bool is_exhausted(const error_code& ec) {
  return ec == asio::error::no_descriptors || ec == boost::system::errc::too_many_files_open_in_system ||
         ec == asio::error::no_buffer_space || ec == asio::error::no_memory;
}

/// At least one, each of them once.
Result<std::vector<asio::ip::address>> addresses_of(std::string host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (!ec) return std::vector{address};
  if (is_localhost(host)) return localhost_addresses();
  asio::io_context context;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, "", tcp::resolver::passive, ec);
  if (ec || found.empty()) {
    return Error{ErrorKind::InvalidArgument, "cannot resolve the address to listen on, '" + host + "'"};
  }
  std::vector<asio::ip::address> addresses;
  for (const auto& entry : found) {
    const auto each = entry.endpoint().address();
    if (std::find(addresses.begin(), addresses.end(), each) == addresses.end()) addresses.push_back(each);
  }
  return addresses;
}

/// The machine does not have this address, or this kind of addresses.
bool is_absent(const error_code& ec) {
  return ec == boost::system::errc::address_not_available || ec == asio::error::address_family_not_supported;
}

/// How often a free port is looked for that is free on all addresses.
constexpr int port_attempts_max = 20;

std::string literal_of(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

void keep_for_ever(std::unique_ptr<ServerCore> core, std::vector<std::unique_ptr<IoThread>> threads) {
  static std::mutex mutex;
  // Never destroyed, and reachable, so that it is no leak to those who look for leaks.
  static auto* const kept =
      new std::vector<std::pair<std::unique_ptr<ServerCore>, std::vector<std::unique_ptr<IoThread>>>>;
  const std::lock_guard lock(mutex);
  kept->emplace_back(std::move(core), std::move(threads));
}

}  // namespace

struct Server::Impl {
  using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
  using RetryTimer =
      asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
  /// On one address. Used by the first thread only.
  struct Listener {
    explicit Listener(asio::io_context& context) : acceptor(context), retry_timer(context) {}
    error_code open(const tcp::endpoint& endpoint, bool v6_only, int backlog);
    Acceptor acceptor;
    RetryTimer retry_timer;
    std::uint64_t accepts = 0;  ///< number of the one under way; others were given up
  };

  explicit Impl(ServerOptions options) : core(std::make_unique<ServerCore>(std::move(options))) {}

  Status listen();
  Status listen_on(const std::vector<asio::ip::address>& addresses, error_code& failed);
  void accept_next(Listener& listener);
  void accept_later(Listener& listener);
  /// Whatever has become of the accept under way.
  void accept_anew(Listener& listener);
  void accepted(Listener& listener, IoThread& target, const error_code& ec, Socket socket);
  void begin_shutdown();
  void stop();
  void wait();

  std::unique_ptr<ServerCore> core;
  std::vector<std::unique_ptr<IoThread>> threads;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::size_t next_thread = 0;
  std::uint16_t port = 0;
  std::atomic<bool> shutting_down{false};
  std::atomic<bool> stopping{false};
  bool waited = false;
  std::mutex end_mutex;  ///< reloads against the end of the access log and the handler
};

error_code Server::Impl::Listener::open(const tcp::endpoint& endpoint, bool v6_only, int backlog) {
  error_code ec;
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(Acceptor::reuse_address(true), ec);
  if (!ec && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(v6_only), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(backlog, ec);
  return ec;
}

Status Server::Impl::listen() {
  STELE_ASSIGN(const std::vector<asio::ip::address> addresses, addresses_of(core->options.host));
  for (int attempt = 1;; ++attempt) {
    error_code failed;
    Status listening = listen_on(addresses, failed);
    // A port that is free on the first address may be taken on another.
    const bool again = core->options.port == 0 && failed == asio::error::address_in_use && attempt < port_attempts_max;
    if (listening || !again) return listening;
  }
}

Status Server::Impl::listen_on(const std::vector<asio::ip::address>& addresses, error_code& failed) {
  const ServerOptions& options = core->options;
  const bool several = addresses.size() > 1;
  port = options.port;
  listeners.clear();
  for (const asio::ip::address& address : addresses) {
    auto listener = std::make_unique<Listener>(threads.front()->context());
    const error_code ec = listener->open({address, port}, several || !address.is_unspecified(), options.accept_backlog);
    if (ec) {
      failed = ec;
      // A name may have addresses of a kind that is switched off here.
      if (several && is_absent(ec)) continue;
      std::string where = several ? address.to_string() : options.host;
      if (where.find(':') != std::string::npos && where.front() != '[') where = '[' + where + ']';
      return os_error(ec.value(), "cannot listen on " + where + ":" + std::to_string(port));
    }
    port = listener->acceptor.local_endpoint(failed).port();
    if (failed) return os_error(failed.value(), "cannot listen on " + options.host);
    listeners.push_back(std::move(listener));
  }
  if (!listeners.empty()) return {};
  return os_error(failed.value(), "cannot listen on any address of " + options.host);
}

void Server::Impl::accept_next(Listener& listener) {
  IoThread& target = *threads[next_thread];
  next_thread = (next_thread + 1) % threads.size();
  const std::uint64_t number = ++listener.accepts;
  listener.acceptor.async_accept(target.context(),
                                 [this, &listener, &target, number](const error_code& ec, Socket socket) {
                                   if (number == listener.accepts) accepted(listener, target, ec, std::move(socket));
                                 });
}

void Server::Impl::accept_anew(Listener& listener) {
  if (!listener.acceptor.is_open()) return;
  ++listener.accepts;
  error_code ignored;
  listener.acceptor.cancel(ignored);
  accept_next(listener);
}

void Server::Impl::accepted(Listener& listener, IoThread& target, const error_code& ec, Socket socket) {
  if (!listener.acceptor.is_open()) return;
  if (is_exhausted(ec)) {
    core->log.write(LogCause::AcceptFailed, IoThread::now_ms(),
                    "cannot accept connections for lack of descriptors or memory: ", ec.message());
    return accept_later(listener);
  }
  if (!ec) {
    // Whatever goes wrong with one connection must not end the accepting.
    try {
      error_code failed;
      const tcp::endpoint remote = socket.remote_endpoint(failed);
      if (!failed) socket.set_option(tcp::no_delay(true), failed);
      if (!failed) socket.non_blocking(true, failed);
      if (!failed) {
        ConnectionSeat seat(core->budget, literal_of(remote.address()));
        if (seat.admission() != ConnectionBudget::Admission::Dropped) {
          target.adopt(std::move(socket), std::move(seat));
        } else {
          const LogContext context{{"remote", seat.address()}};
          core->log.write(LogCause::ConnectionRefused, IoThread::now_ms(),
                          "a connection was dropped: far too many are open");
        }
      }
    } catch (const std::exception& e) {
      core->log.write(LogCause::AcceptFailed, IoThread::now_ms(), "cannot take a connection: ", e.what());
    }
  }
  try {
    accept_next(listener);
  } catch (const std::exception& e) {
    core->log.write(LogCause::AcceptFailed, IoThread::now_ms(), "cannot accept connections: ", e.what());
    accept_later(listener);
  }
}

void Server::Impl::accept_later(Listener& listener) {
  listener.retry_timer.expires_after(std::chrono::milliseconds(100));
  listener.retry_timer.async_wait([this, &listener](const error_code& cancelled) {
    if (cancelled || !listener.acceptor.is_open()) return;
    try {
      accept_next(listener);
    } catch (const std::exception&) {
      accept_later(listener);
    }
  });
}

void Server::Impl::begin_shutdown() {
  if (shutting_down.exchange(true)) return;
  core->shutting_down.store(true);
  try {
    core->handler->begin_shutdown();
  } catch (const std::exception& e) {
    log_error("the handler threw at shutdown: {}", e.what());
  } catch (...) {
    log_error("the handler threw something unknown at shutdown");
  }
  threads.front()->post([this] {
    error_code ignored;
    for (const auto& listener : listeners) {
      listener->acceptor.close(ignored);
      listener->retry_timer.cancel();
    }
  });
  for (const auto& thread : threads) thread->begin_drain();
}

void Server::Impl::stop() {
  begin_shutdown();
  if (stopping.exchange(true)) return;
  for (const auto& thread : threads) thread->stop();
}

void Server::Impl::wait() {
  if (waited) return;
  waited = true;
  for (const auto& thread : threads) thread->join();
  core->pool->stop();
  core->log.summarise_all();
  const bool stragglers =
      std::any_of(threads.begin(), threads.end(), [](const auto& thread) { return thread->has_stragglers(); });
  listeners.clear();
  // Not under the lock: it may take its time.
  std::unique_ptr<api::Handler> handler;
  if (!stragglers) {
    const std::lock_guard lock(end_mutex);
    handler = std::move(core->handler);
  }
  handler.reset();
  const std::lock_guard lock(end_mutex);
  if (stragglers) {
    // Someone still holds a Reply and may use it: what that would touch has to outlive the server.
    keep_for_ever(std::move(core), std::move(threads));
    return;
  }
  core->access_log.reset();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  impl_->stop();
  impl_->wait();
}

std::size_t read_thread_count(const ServerOptions& options) {
  return options.read_threads != 0 ? options.read_threads : std::max<std::size_t>(4, 2 * cores());
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, HandlerFactory make_handler) {
  try {
    if (options.io_threads == 0) options.io_threads = cores();
    options.read_threads = read_thread_count(options);
    auto impl = std::make_unique<Impl>(std::move(options));
    ServerCore& core = *impl->core;
    for (std::size_t i = 0; i < core.options.io_threads; ++i) {
      impl->threads.push_back(std::make_unique<IoThread>(core, i));
    }
    STELE_TRY(impl->listen());
    if (!core.options.access_log.empty()) {
      STELE_ASSIGN(core.access_log, AccessLog::open(core.options.access_log, core.options.log_format));
    }
    core.pool = std::make_unique<ReadPool>(core.options.read_threads, core.options.read_queue_max);
    core.handler = make_handler(*core.pool);
    if (core.handler == nullptr) return Error{ErrorKind::InvalidArgument, "there is no handler to serve"};
    for (const auto& listener : impl->listeners) impl->accept_next(*listener);
    impl->threads.front()->on_exception = [i = impl.get()] {
      for (const auto& listener : i->listeners) i->accept_anew(*listener);
    };
    // From here on its destructor ends in good order what was begun, such as threads when the next cannot be had.
    std::unique_ptr<Server> server(new Server(std::move(impl)));
    for (const auto& thread : server->impl_->threads) thread->start();
    return server;
  } catch (const std::exception& e) {
    return Error{ErrorKind::Io, std::string("cannot start the server: ") + e.what()};
  }
}

std::uint16_t Server::port() const { return impl_->port; }
Status Server::reopen_access_log() {
  const std::lock_guard lock(impl_->end_mutex);
  return impl_->core && impl_->core->access_log ? impl_->core->access_log->reopen() : Status{};
}
void Server::note_reload(std::string_view what, bool is_done, std::string_view words) {
  const std::lock_guard lock(impl_->end_mutex);
  if (impl_->core && impl_->core->handler) impl_->core->handler->note_reload(what, is_done, words);
}
std::size_t Server::connections() const { return impl_->core ? impl_->core->budget.connections() : 0; }
void Server::begin_shutdown() { impl_->begin_shutdown(); }
void Server::stop() { impl_->stop(); }
void Server::wait() { impl_->wait(); }

}  // namespace stele::net
