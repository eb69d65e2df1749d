#pragma once
// Tells which keys there are that callers are known by, and what becomes of their files: also of a change that nobody
// makes use of, for which a thread of its own looks now and then.

#include <chrono>

#include "api/access/authenticator.h"
#include "engine/base/interval_thread.h"

namespace stele::api {

class KeyWatch {
 public:
  /// `told` has what there is when this returns. `authenticator`, which can tell only one, must outlive it.
  KeyWatch(Authenticator& authenticator, KeyFileTold told, std::chrono::milliseconds interval);
  /// Looks once more before the end.
  ~KeyWatch();
  KeyWatch(const KeyWatch&) = delete;

 private:
  void look() noexcept;

  Authenticator& authenticator_;
  IntervalThread thread_;
};

}  // namespace stele::api
