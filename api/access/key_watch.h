#pragma once
// Tells which keys there are that callers are known by, and what becomes of their files: also of a change that nobody
// makes use of, for which a thread of its own looks now and then.

#include <chrono>
#include <thread>

#include "api/access/authenticator.h"
#include "engine/base/mutex.h"

namespace stele::api {

class KeyWatch {
 public:
  /// `told` has what there is when this returns. `authenticator`, which can tell only one, must outlive it.
  KeyWatch(Authenticator& authenticator, KeyFileTold told, std::chrono::milliseconds interval);
  /// Looks once more before the end.
  ~KeyWatch();
  KeyWatch(const KeyWatch&) = delete;

 private:
  void run();
  void look() noexcept;

  Authenticator& authenticator_;
  const std::chrono::milliseconds interval_;
  Mutex mutex_;
  ConditionVariable stopped_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace stele::api
