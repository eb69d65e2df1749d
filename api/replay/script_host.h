#pragma once
// The seam between replay (what a fold means) and whatever runs scripts: code that a stranger wrote, in another
// process. Implemented in net (net/worker); nothing here knows a process.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/records/event_aliases.h"
#include "api/records/upcast_scripts.h"
#include "api/replay/fold.h"

namespace stele::api {

/// What one fold is given to begin with. Only for begin(): nothing is kept.
struct ScriptStart {
  std::string_view source;
  std::optional<std::string_view> state;  ///< as JSON; none = what `$init` gives, else `{}`
  std::chrono::milliseconds call_time{100};
  std::chrono::steady_clock::time_point deadline;  ///< of the whole fold
  std::size_t state_bytes_max = 16U << 20;
  /// Whether nobody waits any more; asked now and then, on the thread that folds. Must outlive the fold.
  std::function<bool()> abandoned;
  /// By which names the script knows event types; null: by those that events are stored under.
  std::shared_ptr<const AliasTable> aliases{};
};

/// For /readyz and /metrics.
struct ScriptMetrics {
  std::uint64_t workers = 0;  ///< processes now
  std::uint64_t busy = 0;     ///< of these
  std::uint64_t waiting = 0;  ///< threads that wait for one
  std::uint64_t started = 0;  ///< since the start
  struct Kill {
    std::string_view cause;  ///< static storage
    std::uint64_t count = 0;
  };
  std::vector<Kill> kills;
};

/// Thread-safe.
class ScriptHost : public UpcastScriptHost {
 public:
  /// Why scripts cannot be run here; empty if they can.
  [[nodiscard]] virtual std::string unavailable() const = 0;
  /// Evaluates the source and makes the first state. Busy if no process is free.
  [[nodiscard]] virtual std::variant<std::unique_ptr<Fold>, FoldFailure> begin(const ScriptStart& start) = 0;
  [[nodiscard]] virtual ScriptMetrics metrics() const = 0;
  /// No process that runs now is used for another fold: those at rest are ended, the others when their folds end. Gives
  /// a mark for has_retired().
  virtual std::uint64_t retire() = 0;
  /// Whether all of those have ended.
  [[nodiscard]] virtual bool has_retired(std::uint64_t mark) const = 0;
};

}  // namespace stele::api
