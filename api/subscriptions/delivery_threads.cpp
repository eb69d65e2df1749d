#include "api/subscriptions/delivery_threads.h"

#include <pthread.h>

#include <utility>

namespace stele::api {

namespace {
/// The queue that this thread works on, if any.
thread_local const void* own_queue = nullptr;
}  // namespace

void DeliveryThreads::post(DeliveryLane lane, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  Queue& queue = queues_[static_cast<std::size_t>(lane)];
  queue.work.push_back(std::move(work));
  const std::size_t threads_max = lane == DeliveryLane::Slow ? kSlowThreads : 1;
  if (queue.idle < queue.work.size() && queue.threads.size() < threads_max) {
    try {
      queue.threads.emplace_back([this, &queue] { run(queue); });
      (void)::pthread_setname_np(queue.threads.back().native_handle(), "stele-deliver");
    } catch (...) {
      // With one thread at least it only takes longer.
      if (queue.threads.empty()) {
        queue.work.pop_back();
        throw;
      }
    }
  }
  const bool goes_on_itself = own_queue == &queue && queue.work.size() == 1;
  // With the mutex: whoever posts last may be overtaken by the end of all this.
  if (!goes_on_itself) queue.changed.notify_one();
}

void DeliveryThreads::run(Queue& queue) {
  own_queue = &queue;
  std::unique_lock lock(mutex_);
  while (true) {
    ++queue.idle;
    queue.changed.wait(lock, [&] { return stopping_ || !queue.work.empty(); });
    --queue.idle;
    if (stopping_) return;
    {
      const std::function<void()> work = std::move(queue.work.front());
      queue.work.pop_front();
      lock.unlock();
      work();
    }
    lock.lock();
  }
}

void DeliveryThreads::stop() {
  std::vector<std::thread> threads;
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Queue& queue : queues_) {
      for (std::thread& thread : queue.threads) threads.push_back(std::move(thread));
      queue.threads.clear();
      for (auto& work : queue.work) dropped.push_back(std::move(work));
      queue.work.clear();
      queue.changed.notify_all();
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace stele::api
