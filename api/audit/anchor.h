#pragma once
// A place outside of this server where checkpoints are written to: what came before one that stands there cannot be
// rewritten unseen, whoever holds the key.

#include <string>
#include <string_view>

#include "engine/audit/checkpoint.h"
#include "engine/audit/signed_note.h"
#include "engine/base/result.h"

namespace stele::api {

struct AnchoredNote {
  Checkpoint checkpoint;
  SignedNote note;
};

/// Used by one thread, but for cancel().
class Anchor {
 public:
  virtual ~Anchor() = default;
  /// `file` or `redis-stream`.
  [[nodiscard]] virtual std::string_view kind() const = 0;
  /// Durable on return, as far as the place knows such a thing. May wait. After an error the same may be written again.
  [[nodiscard]] virtual Status write(const AnchoredNote& note) = 0;
  /// A write() that waits for somebody else ends soon, and so do all after it. Any thread.
  virtual void cancel() = 0;
};

}  // namespace stele::api
