#include "net/server.h"

#include <spdlog/spdlog.h>

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

#include "net/access_log.h"
#include "net/io_thread.h"
#include "net/read_pool.h"
#include "net/session.h"

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

Result<tcp::endpoint> resolve(std::string host, std::uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (!ec) return tcp::endpoint(address, port);
  asio::io_context context;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, ec);
  if (ec || found.empty()) {
    return Error{ErrorKind::InvalidArgument, "cannot resolve the address to listen on, '" + host + "'"};
  }
  return found.begin()->endpoint();
}

std::string text_of(const asio::ip::address& address) {
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
  using Listener = asio::basic_socket_acceptor<tcp, Executor>;
  using RetryTimer =
      asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

  explicit Impl(ServerOptions options) : core(std::make_unique<ServerCore>(std::move(options))) {}

  Status listen();
  void accept_next();
  void accept_later();
  void accepted(IoThread& target, const error_code& ec, Socket socket);
  void begin_shutdown();
  void stop();
  void wait();

  std::unique_ptr<ServerCore> core;
  std::vector<std::unique_ptr<IoThread>> threads;
  std::unique_ptr<Listener> listener;       ///< on the first thread
  std::unique_ptr<RetryTimer> retry_timer;  ///< on the first thread
  std::size_t next_thread = 0;
  std::uint16_t port = 0;
  std::atomic<bool> shutting_down{false};
  std::atomic<bool> stopping{false};
  bool waited = false;
};

Status Server::Impl::listen() {
  const ServerOptions& options = core->options;
  STELE_ASSIGN(const tcp::endpoint endpoint, resolve(options.host, options.port));
  const std::string where = options.host + " port " + std::to_string(options.port);
  listener = std::make_unique<Listener>(threads.front()->context());
  error_code ec;
  listener->open(endpoint.protocol(), ec);
  if (!ec) listener->set_option(Listener::reuse_address(true), ec);
  if (!ec && endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
    listener->set_option(asio::ip::v6_only(false), ec);
  }
  if (!ec) listener->bind(endpoint, ec);
  if (!ec) listener->listen(options.accept_backlog, ec);
  if (ec) return os_error(ec.value(), "cannot listen on " + where);
  const tcp::endpoint bound = listener->local_endpoint(ec);
  if (ec) return os_error(ec.value(), "cannot listen on " + where);
  port = bound.port();
  return {};
}

void Server::Impl::accept_next() {
  IoThread& target = *threads[next_thread];
  next_thread = (next_thread + 1) % threads.size();
  listener->async_accept(target.context(), [this, &target](const error_code& ec, Socket socket) {
    accepted(target, ec, std::move(socket));
  });
}

void Server::Impl::accepted(IoThread& target, const error_code& ec, Socket socket) {
  if (!listener->is_open()) return;
  if (is_exhausted(ec)) {
    core->log.write(LogCause::AcceptFailed, IoThread::now_ms(),
                    "cannot accept connections for lack of descriptors or memory: ", ec.message());
    return accept_later();
  }
  if (!ec) {
    // Whatever goes wrong with one connection must not end the accepting.
    try {
      error_code failed;
      const tcp::endpoint remote = socket.remote_endpoint(failed);
      if (!failed) socket.set_option(tcp::no_delay(true), failed);
      if (!failed) socket.non_blocking(true, failed);
      if (!failed) {
        ConnectionSeat seat(core->budget, text_of(remote.address()));
        if (seat.admission() != ConnectionBudget::Admission::Hopeless) {
          target.adopt(std::move(socket), std::move(seat));
        } else {
          const LogContext context{{"remote", seat.address()}};
          core->log.write(LogCause::ConnectionRefused, IoThread::now_ms(), "a connection was dropped: far too many are open");
        }
      }
    } catch (const std::exception& e) {
      core->log.write(LogCause::AcceptFailed, IoThread::now_ms(), "cannot take a connection: ", e.what());
    }
  }
  try {
    accept_next();
  } catch (const std::exception& e) {
    core->log.write(LogCause::AcceptFailed, IoThread::now_ms(), "cannot accept connections: ", e.what());
    accept_later();
  }
}

void Server::Impl::accept_later() {
  retry_timer->expires_after(std::chrono::milliseconds(100));
  retry_timer->async_wait([this](const error_code& cancelled) {
    if (cancelled || !listener->is_open()) return;
    try {
      accept_next();
    } catch (const std::exception&) {
      accept_later();
    }
  });
}

void Server::Impl::begin_shutdown() {
  if (shutting_down.exchange(true)) return;
  try {
    core->handler->begin_shutdown();
  } catch (const std::exception& e) {
    spdlog::error("the handler threw at shutdown: {}", e.what());
  } catch (...) {
    spdlog::error("the handler threw something unknown at shutdown");
  }
  threads.front()->post([this] {
    error_code ignored;
    listener->close(ignored);
    retry_timer->cancel();
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
  listener.reset();
  retry_timer.reset();
  if (stragglers) {
    // Someone still holds a Reply and may use it: what that would touch has to outlive the server.
    keep_for_ever(std::move(core), std::move(threads));
    return;
  }
  core->handler.reset();
  core->access_log.reset();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  impl_->stop();
  impl_->wait();
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, HandlerFactory make_handler) {
  try {
    if (options.io_threads == 0) options.io_threads = cores();
    if (options.read_threads == 0) options.read_threads = std::max<std::size_t>(4, 2 * cores());
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
    impl->retry_timer = std::make_unique<Impl::RetryTimer>(impl->threads.front()->context());
    impl->accept_next();
    for (const auto& thread : impl->threads) thread->start();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
  } catch (const std::exception& e) {
    return Error{ErrorKind::Io, std::string("cannot start the server: ") + e.what()};
  }
}

std::uint16_t Server::port() const { return impl_->port; }
std::size_t Server::connections() const { return impl_->core ? impl_->core->budget.connections() : 0; }
void Server::begin_shutdown() { impl_->begin_shutdown(); }
void Server::stop() { impl_->stop(); }
void Server::wait() { impl_->wait(); }

}  // namespace stele::net
