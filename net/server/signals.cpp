#include "net/server/signals.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "net/server/server.h"

namespace stele::net {

struct Signals::Impl {
  sigset_t set{};
  std::mutex mutex;
  std::function<void(int)> action;
  std::vector<int> remembered;
  std::atomic<bool> ending{false};
  std::thread thread;

  void watch() {
    for (;;) {
      const int number = ::sigwaitinfo(&set, nullptr);
      if (ending.load()) return;
      if (number <= 0) continue;
      const std::lock_guard lock(mutex);
      if (action) {
        action(number);
      } else {
        remembered.push_back(number);
      }
    }
  }
};

Signals::Signals() : impl_(std::make_unique<Impl>()) {
  (void)::signal(SIGPIPE, SIG_IGN);
  (void)::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is an error of the write, not the end of the server
  ::sigemptyset(&impl_->set);
  ::sigaddset(&impl_->set, SIGTERM);
  ::sigaddset(&impl_->set, SIGINT);
  ::sigaddset(&impl_->set, SIGHUP);
  (void)::pthread_sigmask(SIG_BLOCK, &impl_->set, nullptr);
  impl_->thread = std::thread([impl = impl_.get()] { impl->watch(); });
  (void)::pthread_setname_np(impl_->thread.native_handle(), "stele-signals");
}

Signals::~Signals() {
  impl_->ending.store(true);
  (void)::pthread_kill(impl_->thread.native_handle(), SIGTERM);
  impl_->thread.join();
}

void Signals::on_signal(std::function<void(int)> on_signal) {
  const std::lock_guard lock(impl_->mutex);
  impl_->action = std::move(on_signal);
  if (!impl_->action) return;
  for (const int number : std::exchange(impl_->remembered, {})) impl_->action(number);
}

void Signals::drain(Server& server, std::function<void()> reload) {
  on_signal([&server, reload = std::move(reload), again = false](int number) mutable {
    if (number == SIGHUP) {
      if (reload) reload();
      return;
    }
    if (again) {
      server.stop();
    } else {
      server.begin_shutdown();
    }
    again = true;
  });
}

}  // namespace stele::net
