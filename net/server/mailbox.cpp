#include "net/server/mailbox.h"

#include <exception>
#include <new>
#include <utility>

#include "net/log/log.h"

namespace stele::net {

Mailbox::Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {
  waiting_.reserve(8);  // what ends the thread of a server that cannot be started needs no memory
}

void Mailbox::post(Work work) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    waiting_.push_back(std::move(work));
  }
  if (!first) return;
  try {
    wake_();
  } catch (const std::bad_alloc&) {
    // The owner looks by itself now and then.
  }
}

std::size_t Mailbox::drain() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(waiting_);
  }
  for (Work& work : running_) {
    try {
      work();
    } catch (const std::exception& e) {
      log_error("work on an I/O thread threw: {}", e.what());
    } catch (...) {
      log_error("work on an I/O thread threw something unknown");
    }
    work = nullptr;
  }
  const std::size_t count = running_.size();
  running_.clear();
  return count;
}

}  // namespace stele::net
