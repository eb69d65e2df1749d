#include "net/server/read_pool.h"

#include <pthread.h>

#include <exception>
#include <utility>

#include "engine/base/memory_reserve.h"
#include "net/log/log.h"

namespace stele::net {

namespace {
void run_guarded(const std::function<void()>& work, const char* where) {
  try {
    work();
  } catch (const std::exception& e) {
    log_error("work on the {} threw: {}", where, e.what());
  } catch (...) {
    log_error("work on the {} threw something unknown", where);
  }
}
}  // namespace

ReadPool::ReadPool(std::size_t threads, std::size_t queue_max) : queue_max_(queue_max) {
  threads_.reserve(threads);
  try {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] { work(); });
      pthread_setname_np(threads_.back().native_handle(), "stele-read");
    }
    timer_thread_ = std::thread([this] { keep_time(); });
    pthread_setname_np(timer_thread_.native_handle(), "stele-timer");
  } catch (...) {
    stop();  // those that were started
    throw;
  }
}

ReadPool::~ReadPool() { stop(); }

bool ReadPool::push(std::function<void()> work, bool bounded) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || (bounded && queue_.size() >= queue_max_)) return false;
    queue_.push_back(std::move(work));
  }
  has_work_.notify_one();
  return true;
}

bool ReadPool::run_on_read_pool(std::function<void()> work) { return push(std::move(work), true); }

std::size_t ReadPool::reads_waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

bool ReadPool::run_unrefusable(std::function<void()> work) { return push(std::move(work), false); }

void ReadPool::after(std::chrono::milliseconds delay, std::function<void()> work) {
  bool earliest = false;
  {
    const std::lock_guard lock(timer_mutex_);
    if (timer_stopping_) return;
    const auto at = timers_.emplace(std::chrono::steady_clock::now() + delay, std::move(work));
    earliest = at == timers_.begin();
  }
  if (earliest) timer_changed_.notify_one();
}

void ReadPool::work() {
  prepare_thread_memory();
  std::unique_lock lock(mutex_);
  for (;;) {
    has_work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    run_guarded(work, "read pool");
    work = nullptr;
    lock.lock();
  }
}

void ReadPool::keep_time() {
  prepare_thread_memory();
  std::unique_lock lock(timer_mutex_);
  while (!timer_stopping_) {
    if (timers_.empty()) {
      timer_changed_.wait(lock);
      continue;
    }
    const auto first = timers_.begin();
    if (first->first > std::chrono::steady_clock::now()) {
      const Time until = first->first;
      timer_changed_.wait_until(lock, until);
      continue;
    }
    std::function<void()> work = std::move(first->second);
    timers_.erase(first);
    lock.unlock();
    run_guarded(work, "timer");
    work = nullptr;
    lock.lock();
  }
}

void ReadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  {
    const std::lock_guard lock(timer_mutex_);
    timer_stopping_ = true;
  }
  has_work_.notify_all();
  timer_changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (timer_thread_.joinable()) timer_thread_.join();
  std::deque<std::function<void()>> dropped;
  std::multimap<Time, std::function<void()>> dropped_timers;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(queue_);
  }
  {
    const std::lock_guard lock(timer_mutex_);
    dropped_timers.swap(timers_);
  }
}

}  // namespace stele::net
