#include "api/replay/replay_threads.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "api/endpoint/store_refusal.h"

namespace stele::api {

namespace {

Problem shutting_down() {
  return Problem("unavailable", "The server is shutting down.").header("Retry-After", std::string(kRetryLater));
}

}  // namespace

ReplayThreads::ReplayThreads(std::size_t threads, std::size_t queue_max)
    : thread_count_(threads), queue_max_(queue_max) {}

ReplayThreads::~ReplayThreads() { stop(); }

void ReplayThreads::run(const std::shared_ptr<Call>& call, ReplayWork work, std::size_t waiting_max) {
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    stopping = stopping_;
    if (!stopping && running_ + queue_.size() < thread_count_ + waiting_max) {
      queue_.push_back({call, std::move(work)});
      if (threads_.size() < std::min(thread_count_, running_ + queue_.size())) {
        try {
          threads_.emplace_back([this] { this->work(); });
        } catch (const std::system_error&) {
          if (threads_.empty()) {  // with fewer than there may be it goes on
            queue_.pop_back();
            throw;
          }
        }
      }
      changed_.notify_one();
      return;
    }
    ++refused_;
  }
  call->fail(stopping ? shutting_down()
                      : Problem("busy-replays", "So many replays are under way: " + std::to_string(thread_count_) + ".")
                            .header("Retry-After", std::string(kRetrySoon)));
}

void ReplayThreads::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Work next = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    const bool stopping = stopping_;
    lock.unlock();
    run(next, stopping);
    lock.lock();
  }
}

void ReplayThreads::run(Work& next, bool stopping) {
  Call& call = *next.call;
  call.on_read_pool();
  bool counts = true;
  const auto give_place = [&] {
    const std::lock_guard lock(mutex_);
    if (std::exchange(counts, false)) --running_;
  };
  answer_exceptions(call, [&] {
    std::variant<Response, Problem> answer = shutting_down();
    if (!stopping && !call.request().is_cut_off()) answer = next.run(call);
    next.run = nullptr;
    give_place();
    call.send(std::move(answer));
  });
  give_place();
}

ReplayThreads::Metrics ReplayThreads::metrics() const {
  const std::lock_guard lock(mutex_);
  return {running_, queue_.size(), refused_};
}

void ReplayThreads::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace stele::api
