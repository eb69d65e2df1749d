#pragma once
// Rules about what may be redacted can change while a segment is being written anew. This is what keeps a file that was
// made by rules of before from being put in place by rules of now.

#include <atomic>
#include <cstdint>
#include <functional>

#include "engine/base/mutex.h"
#include "engine/base/result.h"

namespace stele {

/// Thread-safe.
class RedactionGate {
 public:
  /// Counts changes of the rules. To be asked for before the rules are read by which targets are chosen.
  [[nodiscard]] std::uint64_t rules() const { return rules_.load(); }

  /// Calls `make`, which makes new rules hold and must be quick. On return nothing is put in place any more, ever, that
  /// was chosen by rules of before.
  void change(const std::function<void()>& make) {
    const MutexLock lock(mutex_);
    make();
    ++rules_;
  }

  /// Calls `place` if the rules are still these; no change is made meanwhile. Closed, and it was not called, if not.
  [[nodiscard]] Status pass(std::uint64_t rules, const std::function<Status()>& place) {
    const MutexLock lock(mutex_);
    if (rules_.load() != rules) return changed();
    return place();
  }
  [[nodiscard]] static Error changed() {
    return Error{.kind = ErrorKind::Closed, .message = "the rules of redaction have changed"};
  }

 private:
  Mutex mutex_;
  std::atomic<std::uint64_t> rules_{0};
};

}  // namespace stele
