#pragma once
// A shared mutex under which a writer that waits keeps new readers out. std::shared_mutex lets readers pass, so that
// enough of them can hold a writer up for as long as they like.

#include <pthread.h>

#include "engine/base/check.h"

namespace stele {

/// Meets SharedLockable of the standard library: use std::shared_lock and std::unique_lock. A reader must not lock it
/// twice.
class WriterFirstMutex {
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

  void lock() { STELE_CHECK(pthread_rwlock_wrlock(&lock_) == 0); }
  void unlock() { STELE_CHECK(pthread_rwlock_unlock(&lock_) == 0); }
  void lock_shared() { STELE_CHECK(pthread_rwlock_rdlock(&lock_) == 0); }
  void unlock_shared() { unlock(); }

 private:
  pthread_rwlock_t lock_;
};

}  // namespace stele
