#pragma once
// A mutex whose rules a compiler can check: what it guards (GUARDED_BY) and which functions need it held (REQUIRES).
// Clang's thread-safety analysis reads them (`.ci/tidy`, preset `clang`), other compilers see nothing. It cannot look
// into lambdas, so a wait is a loop around ConditionVariable::wait() and not a predicate.

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define STELE_ANNOTATION(x) __attribute__((x))
#else
#define STELE_ANNOTATION(x)
#endif
#define CAPABILITY(x) STELE_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY STELE_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) STELE_ANNOTATION(guarded_by(x))
#define REQUIRES(...) STELE_ANNOTATION(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) STELE_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) STELE_ANNOTATION(release_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) STELE_ANNOTATION(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) STELE_ANNOTATION(acquire_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) STELE_ANNOTATION(release_generic_capability(__VA_ARGS__))
/// For a function that needs no lock for a reason that the analysis cannot know; the reason stands beside it.
#define NO_LOCK_ANALYSIS STELE_ANNOTATION(no_thread_safety_analysis)

namespace stele {

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

 private:
  friend class MutexLock;
  friend class MutexUnlock;
  friend class ConditionVariable;
  std::mutex mutex_;
};

/// Holds the mutex while it lives, except between unlock() and lock().
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() RELEASE() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() RELEASE() { lock_.unlock(); }
  void lock() ACQUIRE() { lock_.lock(); }

 private:
  friend class ConditionVariable;
  std::unique_lock<std::mutex> lock_;
};

/// Lets go of a mutex that is held, while it lives: for functions that need it held and wait for something else
/// meanwhile.
class SCOPED_CAPABILITY MutexUnlock {
 public:
  explicit MutexUnlock(Mutex& mutex) RELEASE(mutex) : mutex_(mutex) { mutex_.mutex_.unlock(); }
  // The analysis takes it as the end of the letting go.
  ~MutexUnlock() RELEASE() { mutex_.mutex_.lock(); }
  MutexUnlock(const MutexUnlock&) = delete;

 private:
  Mutex& mutex_;
};

class ConditionVariable {
 public:
  /// May return without a reason, so that the caller looks again.
  void wait(MutexLock& lock) { changed_.wait(lock.lock_); }
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    changed_.wait(lock);
    (void)lock.release();  // it stays locked
  }
  /// As above, or returns after this time.
  void wait_for(Mutex& mutex, std::chrono::microseconds time) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    (void)changed_.wait_for(lock, time);
    (void)lock.release();
  }
  /// False once the time is reached.
  [[nodiscard]] bool wait_until(MutexLock& lock, std::chrono::steady_clock::time_point time) {
    return changed_.wait_until(lock.lock_, time) == std::cv_status::no_timeout;
  }
  void notify_one() { changed_.notify_one(); }
  void notify_all() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

}  // namespace stele
