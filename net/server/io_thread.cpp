#include "net/server/io_thread.h"

#include <fmt/core.h>
#include <pthread.h>
#include <time.h>

#include <boost/asio/post.hpp>
#include <exception>
#include <new>
#include <utility>

#include "engine/base/clock.h"
#include "engine/base/memory_reserve.h"
#include "net/http/response_head.h"
#include "net/log/access_log.h"
#include "net/log/log.h"
#include "net/server/read_pool.h"
#include "net/server/session.h"

namespace stele::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {
thread_local const IoThread* current_thread = nullptr;
}  // namespace

IoThread::IoThread(ServerCore& core, std::size_t number)
    : core_(core),
      number_(number),
      counts_(core.traffic->add_thread()),
      mailbox_([this] { asio::post(context_, [this] { mailbox_.drain(); }); }) {}

IoThread::~IoThread() { join(); }

void IoThread::start() {
  wait_for_sweep();
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), ("stele-io-" + std::to_string(number_)).c_str());
}

void IoThread::join() {
  if (thread_.joinable()) thread_.join();
}

/// What asio was about to call when it threw is lost, and would not begin anew by itself.
void IoThread::resume_after_exception() {
  wait_for_sweep();
  if (on_exception) on_exception();
}

bool IoThread::is_current() const { return current_thread == this; }

void IoThread::run() {
  prepare_thread_memory();
  current_thread = this;
  bool interrupted = false;
  while (!context_.stopped()) {
    try {
      if (interrupted) resume_after_exception();
      interrupted = false;
      context_.run();
    } catch (const std::exception& e) {
      log_error("an I/O thread caught: {}", e.what());
      interrupted = true;
    } catch (...) {
      log_error("an I/O thread caught something unknown");
      interrupted = true;
    }
    // Most likely there is no memory: somebody may give some back.
    if (interrupted) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  current_thread = nullptr;
}

void IoThread::adopt(Socket socket, ConnectionSeat seat) {
  auto session = std::make_shared<std::unique_ptr<Session>>(
      std::make_unique<Session>(*this, core_, std::move(socket), std::move(seat)));
  post([this, session] {
    if (aborted_) return;
    Session* const added = session->get();
    added->slot = sessions_.size();
    sessions_.push_back(std::move(*session));
    // So that to end one never needs memory.
    if (retired_.capacity() < sessions_.size()) {
      try {
        retired_.reserve(sessions_.capacity());
      } catch (const std::bad_alloc&) {
        sessions_.pop_back();
        throw;
      }
    }
    try {
      added->start();
    } catch (const std::bad_alloc&) {
      return retire(added);
    }
    if (draining_) added->drain();
  });
}

void IoThread::begin_drain() {
  post([this] {
    if (draining_) return;
    draining_ = true;
    drain_deadline_ms_ = now_ms() + core_.options.drain_ms;
    for (const auto& session : sessions_) session->drain();
    finish_if_done();
  });
}

void IoThread::stop() {
  post([this] {
    draining_ = true;
    abort_all();
    finish_if_done();
  });
}

void IoThread::abort_all() {
  if (!aborted_) straggler_deadline_ms_ = now_ms() + core_.options.handler_grace_ms;
  aborted_ = true;
  for (const auto& session : sessions_) session->abort();
}

void IoThread::deliver_soon(Exchange* exchange) {
  ready_.push_back(exchange);
  schedule_local();
}

void IoThread::retire(Session* session) {
  retired_.push_back(session);
  schedule_local();
}

void IoThread::schedule_local() {
  if (local_scheduled_) return;
  try {
    asio::post(context_, [this] { run_local(); });
    local_scheduled_ = true;
  } catch (const std::bad_alloc&) {
    // The next sweep does it.
  }
}

void IoThread::run_local() {
  local_scheduled_ = false;
  std::vector<Exchange*> ready;
  ready.swap(ready_);
  for (Exchange* const exchange : ready) exchange->deliver();
  if (!retired_.empty()) {
    for (Session* const session : retired_) {
      const std::size_t slot = session->slot;
      if (slot + 1 != sessions_.size()) {
        std::swap(sessions_[slot], sessions_.back());
        sessions_[slot]->slot = slot;
      }
      sessions_.pop_back();
    }
    retired_.clear();
    finish_if_done();
  }
  if (ready_.empty()) {  // keeps its memory
    ready.clear();
    ready_.swap(ready);
  }
}

void IoThread::wait_for_sweep() {
  timer_.expires_after(std::chrono::milliseconds(core_.options.limits.sweep_ms));
  timer_.async_wait([this](error_code ec) {
    if (ec) return;
    try {
      sweep();
    } catch (const std::exception& e) {
      log_error("looking at the deadlines threw: {}", e.what());
    }
    if (!context_.stopped()) wait_for_sweep();
  });
}

void IoThread::sweep() {
  const std::int64_t now = now_ms();
  for (const auto& session : sessions_) session->tick(now);
  (void)mailbox_.drain();
  if (!local_scheduled_ && (!ready_.empty() || !retired_.empty())) run_local();
  if (number_ == 0 && now - log_flushed_ms_ >= 1000) {
    log_flushed_ms_ = now;
    if (core_.access_log) flush_access_log(now);
    core_.log.summarise(now);
  }
  if (draining_) {
    if (!aborted_ && now >= drain_deadline_ms_) abort_all();
    if (aborted_ && !sessions_.empty() && now >= straggler_deadline_ms_) {
      log_error("{} requests were never answered by their handler; ending without them", sessions_.size());
      has_stragglers_ = true;
      context_.stop();
      return;
    }
    finish_if_done();
  }
}

void IoThread::flush_access_log(std::int64_t now) {
  core_.access_log->flush();
  std::atomic<std::uint64_t>& counted = core_.traffic->access_lines_dropped();
  const std::uint64_t dropped = core_.access_log->dropped();
  if (counted.exchange(dropped) == dropped) return;
  core_.log.write(LogCause::AccessLineDropped, now, "the access log is written too slowly, lines were dropped: ",
                  std::to_string(dropped) + " since the start");
}

void IoThread::finish_if_done() {
  if (draining_ && sessions_.empty()) context_.stop();
}

std::int64_t IoThread::now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::string IoThread::next_request_id() {
  return fmt::format("{}-{:x}-{:x}", core_.request_id_prefix, number_, ++request_ids_);
}

std::string_view IoThread::date() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != date_second_) {
    date_second_ = now.tv_sec;
    date_ = http_date(date_second_);
  }
  return date_;
}

}  // namespace stele::net
