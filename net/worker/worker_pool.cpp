#include "net/worker/worker_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/mutex.h"
#include "net/worker/script_fold.h"
#include "net/worker/worker_process.h"

namespace stele::net {

namespace {

using namespace std::chrono_literals;
using api::FoldFailure;
using Clock = std::chrono::steady_clock;
using Process = std::unique_ptr<WorkerProcess>;

constexpr std::size_t kDefaultWorkersMax = 4;
/// After a start that failed. Until then nobody waits for the next one.
constexpr auto kRetryAfter = 2s;
/// How often the free ones are looked after, and how often begin() asks whether anybody waits for it.
constexpr auto kLookAfter = 1s;
constexpr auto kAskEvery = 50ms;
/// How long a read waits for a process that is at work for others.
constexpr std::chrono::milliseconds kUpcastWait = 2s;

constexpr std::array<std::string_view, 10> kCauses{"call-time",  "state-time",  "replay-time", "memory", "stack",
                                                   "state-size", "system-call", "abandoned",   "died",   "worn"};

FoldFailure no_process(FoldFailure::Kind kind, std::string message) {
  FoldFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return failure;
}

/// Signals are for the server's own threads.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  (void)::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct WorkerPool::Impl {
  explicit Impl(const WorkerOptions& given) : options(given) {
    if (options.workers_max == 0) {
      options.workers_max = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kDefaultWorkersMax);
    }
    if (options.reader_threads != 0) {
      const std::size_t at_work = std::min(options.workers_max + 1, options.reader_threads);
      upcasts_waiting_max =
          std::max<std::size_t>(std::min(options.reader_threads / 2, options.reader_threads - at_work), 1);
    }
  }

  /// No thread until somebody needs a worker: most servers never do. False if there can be none now.
  [[nodiscard]] bool start_keeper() REQUIRES(mutex) {
    if (keeper.joinable()) return true;
    try {
      keeper = std::thread([this] {
        block_signals();
        keep();
      });
    } catch (const std::system_error&) {
      reason = "no thread can be had for the processes that run scripts";
      return false;
    }
    (void)::pthread_setname_np(keeper.native_handle(), "stele-workers");
    return true;
  }

  // The thread that starts and reaps. What takes time happens without the lock.

  void keep() {
    MutexLock lock(mutex);
    while (!closing || !given_up.empty()) {
      std::vector<Process> to_reap = std::exchange(given_up, {});
      if (!to_reap.empty()) {
        reaping = true;
        {
          const MutexUnlock unlocked(mutex);
          to_reap.clear();
        }
        reaping = false;
        continue;
      }
      if (closing) break;
      drop_dead();
      if (wants_another()) {
        starting = true;
        std::string why;
        Process made;
        {
          const MutexUnlock unlocked(mutex);
          made = start_one(why);
        }
        starting = false;
        if (made != nullptr) {
          made->generation = generation;  // it has folded nothing
          ++started;
          reason.clear();
          idle.push_back(std::move(made));
        } else if (!closing) {
          reason = why;
          retry_at = Clock::now() + kRetryAfter;
        }
        changed.notify_all();
        continue;
      }
      if (given_up.empty()) (void)keeper_wakes.wait_until(lock, Clock::now() + kLookAfter);
    }
    idle.clear();
  }

  [[nodiscard]] bool wants_another() const REQUIRES(mutex) {
    if (idle.size() + busy >= options.workers_max || Clock::now() < retry_at) return false;
    return waiting > idle.size() || (options.start_ahead && started > 0 && idle.empty());
  }

  /// Free ones that somebody has killed.
  void drop_dead() REQUIRES(mutex) {
    for (auto at = idle.begin(); at != idle.end();) {
      if (is_usable(**at)) {
        ++at;
      } else {
        count_kill("died");
        given_up.push_back(std::move(*at));
        at = idle.erase(at);
      }
    }
  }

  /// A worker at rest says nothing but what an earlier fold did not wait for.
  static bool is_usable(WorkerProcess& process) { return process.receive(); }

  Process start_one(std::string& why) {
    auto process = WorkerProcess::start(options.program,
                                        {.memory_bytes_max = options.memory_bytes_max, .trusted = options.trusted});
    if (!process) {
      why = process.error().describe();
      return nullptr;
    }
    WorkerProcess& worker = **process;
    const auto deadline = Clock::now() + options.start_time_max;
    for (;;) {
      const bool alive = worker.receive();
      auto next = worker.replies().next();
      if (auto* const reply = std::get_if<WorkerReply>(&next); reply != nullptr) {
        if (reply->type == FrameType::Ready) {
          worker.ready_space_bytes = worker.address_space_bytes();
          const MutexLock lock(mutex);
          engine = std::move(reply->text);
          return std::move(*process);
        }
        why = reply->type == FrameType::Unavailable ? reply->text : "a worker said what it must not say";
        return nullptr;
      }
      if (std::holds_alternative<ReplyReader::Malformed>(next) || !alive) {
        why = "a worker ended at its start: " + options.program;
        return nullptr;
      }
      if (Clock::now() >= deadline || is_closing()) {
        why = "a worker does not become ready";
        return nullptr;
      }
      worker.wait(false, kAskEvery);
    }
  }

  [[nodiscard]] bool is_closing() {
    const MutexLock lock(mutex);
    return closing;
  }

  void count_kill(std::string_view cause) REQUIRES(mutex) {
    const auto* const found = std::find(kCauses.begin(), kCauses.end(), cause);
    STELE_CHECK(found != kCauses.end());
    ++kills[static_cast<std::size_t>(found - kCauses.begin())];
  }

  // Lending.

  enum class Use : std::uint8_t { Fold, Upcasts };

  /// Waits for one that is free. The failure says why there is none.
  std::variant<Process, FoldFailure> borrow(const api::ScriptStart& start, Use use) {
    const auto begun = Clock::now();
    const auto busy_wait = use == Use::Upcasts ? std::max(kUpcastWait, options.busy_wait) : options.busy_wait;
    bool waits_for_upcasts = false;
    MutexLock lock(mutex);
    if (!start_keeper()) return no_process(FoldFailure::Kind::Unavailable, reason);
    ++waiting;
    std::variant<Process, FoldFailure> result = no_process(FoldFailure::Kind::Busy, "all workers are busy");
    for (bool first = true;; first = false) {
      const auto now = Clock::now();
      if (!idle.empty()) {
        Process taken = std::move(idle.back());
        idle.pop_back();
        if (!is_usable(*taken)) {
          count_kill("died");
          given_up.push_back(std::move(taken));
          keeper_wakes.notify_all();
          continue;
        }
        ++busy;
        busy_generations.insert(taken->generation);
        result = std::move(taken);
        break;
      }
      const bool may_come = starting || idle.size() + busy < options.workers_max;
      if (may_come && !starting && now < retry_at) {
        result = no_process(FoldFailure::Kind::Unavailable, reason);
        break;
      }
      const auto until = std::min(start.deadline, begun + (may_come ? options.start_time_max : busy_wait));
      if (now >= until) break;
      if (use == Use::Upcasts && !waits_for_upcasts) {
        // Those for whom a process can be started are as good as at work.
        const std::size_t to_come = options.workers_max - std::min(options.workers_max, busy);
        if (upcasts_waiting >= upcasts_waiting_max + to_come) break;
        ++upcasts_waiting;
        waits_for_upcasts = true;
      }
      if (!first && start.abandoned && start.abandoned()) {
        result = no_process(FoldFailure::Kind::Abandoned, "nobody waits for the replay any more");
        break;
      }
      keeper_wakes.notify_all();
      (void)changed.wait_until(lock, std::min(until, now + kAskEvery));
    }
    --waiting;
    if (waits_for_upcasts) --upcasts_waiting;
    // The next one is started while this one is at work.
    if (options.start_ahead) keeper_wakes.notify_all();
    return result;
  }

  void take_back(Process process, std::string_view cause) {
    // What a fold took stays mapped, and would be missing to the next.
    if (cause.empty() && (process->folds >= options.folds_max || has_grown(*process))) {
      process->kill();
      cause = "worn";
    }
    const MutexLock lock(mutex);
    if (cause.empty() && process->generation < generation) {
      process->kill();
      cause = "worn";
    }
    --busy;
    busy_generations.erase(busy_generations.find(process->generation));
    if (cause.empty()) {
      idle.push_back(std::move(process));
    } else {
      count_kill(cause);
      given_up.push_back(std::move(process));
      keeper_wakes.notify_all();
    }
    changed.notify_all();
  }

  [[nodiscard]] bool has_grown(const WorkerProcess& process) const {
    return process.address_space_bytes() > process.ready_space_bytes + options.memory_bytes_max / 4;
  }

  WorkerOptions options;
  mutable Mutex mutex;
  ConditionVariable changed;       ///< for who waits for a process
  ConditionVariable keeper_wakes;  ///< for the thread
  std::deque<Process> idle GUARDED_BY(mutex);
  std::vector<Process> given_up GUARDED_BY(mutex);  ///< killed, not reaped
  std::size_t busy GUARDED_BY(mutex) = 0;
  std::uint64_t generation GUARDED_BY(mutex) = 0;  ///< how often processes were retired
  std::multiset<std::uint64_t> busy_generations GUARDED_BY(mutex);
  bool reaping GUARDED_BY(mutex) = false;     ///< processes that were given up are being waited for
  std::size_t waiting GUARDED_BY(mutex) = 0;  ///< callers of begin() and begin_upcasts() that wait
  std::size_t upcasts_waiting_max = 1U << 20;
  std::size_t upcasts_waiting GUARDED_BY(mutex) = 0;  ///< of these, of the latter
  bool starting GUARDED_BY(mutex) = false;
  bool closing GUARDED_BY(mutex) = false;
  Clock::time_point retry_at GUARDED_BY(mutex){};
  std::string reason GUARDED_BY(mutex);  ///< why the last start failed
  std::string engine GUARDED_BY(mutex) = STELE_SCRIPT_ENGINE;
  std::uint64_t started GUARDED_BY(mutex) = 0;
  std::array<std::uint64_t, kCauses.size()> kills GUARDED_BY(mutex){};
  std::thread keeper;  ///< assigned under the mutex
};

WorkerPool::WorkerPool(const WorkerOptions& options) : impl_(std::make_unique<Impl>(options)) {}

WorkerPool::~WorkerPool() {
  {
    const MutexLock lock(impl_->mutex);
    STELE_CHECK(impl_->busy == 0);
    impl_->closing = true;
  }
  impl_->keeper_wakes.notify_all();
  if (impl_->keeper.joinable()) impl_->keeper.join();
}

std::string WorkerPool::unavailable() const {
  const MutexLock lock(impl_->mutex);
  return impl_->reason;
}

std::string WorkerPool::engine_id() const {
  const MutexLock lock(impl_->mutex);
  return impl_->engine;
}

std::variant<std::unique_ptr<api::Fold>, FoldFailure> WorkerPool::begin(const api::ScriptStart& start) {
  for (bool again = false;; again = true) {
    auto borrowed = impl_->borrow(start, Impl::Use::Fold);
    if (auto* const failure = std::get_if<FoldFailure>(&borrowed); failure != nullptr) return std::move(*failure);
    auto fold = std::make_unique<ScriptFold>(
        std::move(*std::get_if<Process>(&borrowed)), start,
        [impl = impl_.get()](Process process, std::string_view cause) { impl->take_back(std::move(process), cause); });
    auto failure = fold->begin(start);
    if (!failure) return fold;
    // One that was killed while it was free: nothing has happened yet.
    if (failure->kind != FoldFailure::Kind::Died || again) return std::move(*failure);
  }
}

std::variant<std::unique_ptr<api::UpcastScripts>, api::UpcastFailure> WorkerPool::begin_upcasts(
    const api::UpcastScriptLimits& limits) {
  api::ScriptStart start;
  start.call_time = limits.call_time;
  start.deadline = limits.deadline;
  start.state_bytes_max = limits.result_bytes_max;
  start.abandoned = limits.abandoned;
  auto borrowed = impl_->borrow(start, Impl::Use::Upcasts);
  if (const auto* const failure = std::get_if<FoldFailure>(&borrowed)) return upcast_failure_of(*failure);
  auto fold = std::make_unique<ScriptFold>(
      std::move(*std::get_if<Process>(&borrowed)), start,
      [impl = impl_.get()](Process process, std::string_view cause) { impl->take_back(std::move(process), cause); });
  fold->begin_upcasts();
  return fold;
}

std::uint64_t WorkerPool::retire() {
  const MutexLock lock(impl_->mutex);
  ++impl_->generation;
  for (Process& process : impl_->idle) {
    process->kill();
    impl_->count_kill("worn");
    impl_->given_up.push_back(std::move(process));
  }
  impl_->idle.clear();
  impl_->keeper_wakes.notify_all();
  return impl_->generation;
}

bool WorkerPool::has_retired(std::uint64_t mark) const {
  const MutexLock lock(impl_->mutex);
  if (!impl_->given_up.empty() || impl_->reaping) return false;
  return impl_->busy_generations.empty() || *impl_->busy_generations.begin() >= mark;
}

api::ScriptMetrics WorkerPool::metrics() const {
  const MutexLock lock(impl_->mutex);
  api::ScriptMetrics metrics;
  metrics.workers = impl_->idle.size() + impl_->busy;
  metrics.busy = impl_->busy;
  metrics.waiting = impl_->waiting;
  metrics.started = impl_->started;
  for (std::size_t i = 0; i < kCauses.size(); ++i) metrics.kills.push_back({kCauses[i], impl_->kills[i]});
  return metrics;
}

}  // namespace stele::net
