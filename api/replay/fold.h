#pragma once
// Events folded into a state, whoever does it: the server itself, or a script in another process.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "api/records/event_upcasts.h"
#include "engine/log/record.h"

namespace stele::api {

/// Why a fold gave no state.
struct FoldFailure {
  enum class Kind {
    Syntax,  ///< the source is not a script, or its value is not an object of functions; `line`, `column`
    Threw,   ///< `message`, `line`, `column`, `event`
    NoJson,  ///< the state is not what JSON can hold: `pointer` (RFC 6901) and why (`message`)
    Limit,   ///< `limit` was passed: "call-time", "replay-time", "state-time" (to read or write the state), "memory",
             ///< "stack" (too much recursion that was not caught), "state-size", "system-call"
    Died,    ///< its process ended for no reason that the script can give; another try may succeed
    Busy,    ///< every process serves another fold: nothing happened
    Unavailable,  ///< scripts cannot be run here: `message` says why
    Abandoned,    ///< nobody waits for it any more
  };
  Kind kind = Kind::Died;
  std::string message;  ///< of the script, or of the host; UTF-8, at most 1 KiB
  std::string limit;
  std::string pointer;
  std::optional<std::uint32_t> line;    ///< in the source, from 1
  std::optional<std::uint32_t> column;  ///< in characters, from 1
  /// Which of the events given to this fold it was, from 0; none = it was not in one (`$init`, the state itself).
  std::optional<std::uint64_t> event;
};

/// The state after the events so far.
struct FoldState {
  std::string json;           ///< without white space outside strings
  std::uint64_t applied = 0;  ///< events that were folded
  std::uint64_t ignored = 0;  ///< events that a script has no function for
  std::uint64_t redacted =
      0;  ///< events without their data; built-in folds pass over them, scripts fold or ignore them
};

/// Folds the events of one aggregate, in order. One thread. After a failure it gives the same failure again.
class Fold {
 public:
  /// Ends it, whatever it is doing.
  virtual ~Fold() = default;
  /// Gives it the next event. To a script they go over in batches, so a failure may be that of an earlier one, and it
  /// may wait until the script has taken what is under way.
  /// What `upcast` says is folded in the place of what is stored, if it is not null; it has no failure.
  [[nodiscard]] virtual std::optional<FoldFailure> apply(const Record& event, const Upcast* upcast) = 0;
  [[nodiscard]] std::optional<FoldFailure> apply(const Record& event) { return apply(event, nullptr); }
  /// Waits until all events are folded, and gives its failure.
  [[nodiscard]] virtual std::optional<FoldFailure> settle() { return std::nullopt; }
  /// What runs upcasters in its process, between events when it has settled; null if it has none.
  [[nodiscard]] virtual UpcastScripts* upcasts() { return nullptr; }
  /// Waits until all events are folded. The fold may go on afterwards.
  [[nodiscard]] virtual std::variant<FoldState, FoldFailure> state() = 0;
};

}  // namespace stele::api
