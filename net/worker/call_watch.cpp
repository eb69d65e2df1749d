#include "net/worker/call_watch.h"

#include <pthread.h>
#include <unistd.h>

#include <utility>

#include "engine/base/check.h"

namespace stele::net {

namespace {
using namespace std::chrono_literals;

constexpr auto kLook = 5ms;
/// What a script has to stop in, once it was asked to.
constexpr auto kGrace = 100ms;
}  // namespace

CallWatch::CallWatch(Actions actions) : actions_(std::move(actions)) {
  STELE_CHECK(::pthread_getcpuclockid(::pthread_self(), &clock_) == 0);
  // It lives as long as the process, which ends without asking it.
  std::thread([this] { watch(); }).detach();
}

void CallWatch::work() {
  const std::lock_guard lock(mutex_);
  working_ = true;
  changed_.notify_one();
}

void CallWatch::rest() {
  const std::lock_guard lock(mutex_);
  working_ = false;
}

std::chrono::nanoseconds CallWatch::used() const {
  timespec time{};
  (void)::clock_gettime(clock_, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void CallWatch::watch() {
  std::uint64_t watched = kNone;
  std::chrono::nanoseconds begun{};
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return working_; });
    }
    std::this_thread::sleep_for(kLook);
    const std::uint64_t call = call_.load(std::memory_order_acquire);
    if (call == kNone) continue;
    if (call != watched) {
      watched = call;
      begun = used();
      continue;
    }
    const std::chrono::milliseconds limit(limit_.load(std::memory_order_relaxed));
    const auto spent = used() - begun;
    if (spent < limit) continue;
    // The limit may be that of the next call by now: then this is not its number.
    expired_.store(call);
    actions_.interrupt();
    if (spent >= limit + kGrace && call_.load(std::memory_order_acquire) == call) {
      const auto exit = static_cast<WorkerExit>(exit_.load(std::memory_order_relaxed));
      actions_.before_exit(exit);
      ::_exit(static_cast<int>(exit));
    }
  }
}

}  // namespace stele::net
