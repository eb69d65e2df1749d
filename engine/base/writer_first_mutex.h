#pragma once
// A shared mutex under which a writer that waits keeps new readers out. std::shared_mutex lets readers pass, so that
// enough of them can hold a writer up for as long as they like.

#include <pthread.h>

#include "engine/base/check.h"
#include "engine/base/mutex.h"

namespace stele {

/// Held by a WriterLock or by ReaderLocks. A reader must not lock it twice.
class CAPABILITY("mutex") WriterFirstMutex {
 public:
  WriterFirstMutex() {
    pthread_rwlockattr_t attributes;
    STELE_CHECK(pthread_rwlockattr_init(&attributes) == 0);
    STELE_CHECK(pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
    STELE_CHECK(pthread_rwlock_init(&lock_, &attributes) == 0);
    (void)pthread_rwlockattr_destroy(&attributes);
  }
  ~WriterFirstMutex() { (void)pthread_rwlock_destroy(&lock_); }
  WriterFirstMutex(const WriterFirstMutex&) = delete;
  WriterFirstMutex& operator=(const WriterFirstMutex&) = delete;

 private:
  friend class WriterLock;
  friend class ReaderLock;
  pthread_rwlock_t lock_;
};

class SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(WriterFirstMutex& mutex) ACQUIRE(mutex) : lock_(mutex.lock_) {
    STELE_CHECK(pthread_rwlock_wrlock(&lock_) == 0);
  }
  ~WriterLock() RELEASE() { (void)pthread_rwlock_unlock(&lock_); }
  WriterLock(const WriterLock&) = delete;

 private:
  pthread_rwlock_t& lock_;
};

class SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(WriterFirstMutex& mutex) ACQUIRE_SHARED(mutex) : lock_(mutex.lock_) {
    STELE_CHECK(pthread_rwlock_rdlock(&lock_) == 0);
  }
  ~ReaderLock() RELEASE_GENERIC() { (void)pthread_rwlock_unlock(&lock_); }
  ReaderLock(const ReaderLock&) = delete;

 private:
  pthread_rwlock_t& lock_;
};

}  // namespace stele
