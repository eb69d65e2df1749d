#include "api/access/key_watch.h"

#include <exception>
#include <utility>

namespace stele::api {

KeyWatch::KeyWatch(Authenticator& authenticator, KeyFileTold told, std::chrono::milliseconds interval)
    : authenticator_(authenticator), interval_(interval) {
  authenticator_.tell(std::move(told));
  thread_ = std::thread([this] { run(); });
}

KeyWatch::~KeyWatch() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
  look();
  authenticator_.tell({});
}

void KeyWatch::run() {
  MutexLock lock(mutex_);
  while (!stop_) {
    const auto due = std::chrono::steady_clock::now() + interval_;
    while (!stop_ && stopped_.wait_until(lock, due)) {
    }
    if (stop_) return;
    lock.unlock();
    look();
    lock.lock();
  }
}

void KeyWatch::look() noexcept {
  try {
    authenticator_.look();
  } catch (const std::exception&) {  // no memory: the next look tells it
  }
}

}  // namespace stele::api
