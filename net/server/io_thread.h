#pragma once
// One thread, one io_context, and the sessions that live on it. Everything about a session happens on its thread, so
// that no session needs a lock; other threads reach it through the mailbox.

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/http/connection_budget.h"
#include "net/log/rate_limited_log.h"
#include "net/server/mailbox.h"
#include "net/server/server_core.h"
#include "net/tls/socket.h"

namespace stele::net {

class AccessLog;
class Exchange;
class ReadPool;
class Session;

class IoThread {
 public:
  IoThread(ServerCore& core, std::size_t number);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  [[nodiscard]] boost::asio::io_context& context() { return context_; }

  void start();
  /// Blocks until the thread has ended, which it does after begin_drain() or stop().
  void join();
  /// After join(): sessions remain whose requests were never answered, so that their memory must not be freed.
  [[nodiscard]] bool has_stragglers() const { return has_stragglers_; }

  /// Called on the thread when an exception has come out of asio itself, which had no memory: one thing that was waited
  /// for may be lost. Set it before start().
  std::function<void()> on_exception;

  // Any thread.
  /// Serves a new connection, which has been counted in.
  void adopt(Socket socket, ConnectionSeat seat);
  void post(Mailbox::Work work) { mailbox_.post(std::move(work)); }
  void begin_drain();
  void stop();
  [[nodiscard]] bool is_current() const;

  // Its own thread only.
  /// Delivers what has arrived for `exchange` once what runs now has returned.
  void deliver_soon(Exchange* exchange);
  /// Destroys `session` once what runs now has returned.
  void retire(Session* session);
  [[nodiscard]] bool draining() const { return draining_; }
  /// Milliseconds of a clock that never jumps, a few of them coarse.
  [[nodiscard]] static std::int64_t now_ms();
  /// Where answers are counted.
  [[nodiscard]] api::RequestCounts& counts() { return counts_; }
  /// An id that no other request of this process has, nor is likely to have in another.
  [[nodiscard]] std::string next_request_id();
  /// Value for the Date field.
  [[nodiscard]] std::string_view date();

 private:
  using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  void run();
  void wait_for_sweep();
  void resume_after_exception();
  void sweep();
  void schedule_local();
  void run_local();
  void abort_all();
  void flush_access_log(std::int64_t now);
  void finish_if_done();

  ServerCore& core_;
  const std::size_t number_;
  api::RequestCounts& counts_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<Executor> work_{context_.get_executor()};
  Timer timer_{context_.get_executor()};
  Mailbox mailbox_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<Exchange*> ready_;
  std::vector<Session*> retired_;
  bool local_scheduled_ = false;
  bool draining_ = false;
  bool aborted_ = false;
  bool has_stragglers_ = false;
  std::int64_t drain_deadline_ms_ = 0;
  std::int64_t straggler_deadline_ms_ = 0;
  std::int64_t log_flushed_ms_ = 0;
  std::uint64_t request_ids_ = 0;
  std::int64_t date_second_ = -1;
  std::string date_;
  std::thread thread_;
};

}  // namespace stele::net
