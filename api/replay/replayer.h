#pragma once
// One replay: the events of an aggregate, from a kept state or from the first, to a moment, through a handler.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/http/problem.h"
#include "api/records/event_aliases.h"
#include "api/records/event_upcasts.h"
#include "api/records/redaction_notes.h"
#include "api/replay/event_handler.h"
#include "api/replay/fold.h"
#include "api/replay/folded_state.h"
#include "api/replay/script_host.h"
#include "api/replay/state_cache.h"
#include "engine/snapshots/snapshot_store.h"
#include "engine/store/read_view.h"

namespace stele::api {

/// Up to where; at most one of them. None = the newest event.
struct ReplayEnd {
  std::optional<SequenceNumber> sequence;
  std::optional<Timestamp> time;      ///< inclusive
  std::optional<Timestamp> occurred;  ///< inclusive; of events without occurredAt their time counts
};

struct ReplayOptions {
  bool from_kept = true;  ///< from a snapshot or a cached state, if the handler allows it
  /// Fold to the middle, write the state as JSON and fold on from that in another realm: what a pure handler does not
  /// notice. For checking.
  std::optional<SequenceNumber> break_at;
};

struct Replayed {
  FoldedState state;  ///< sequence 0: the initial state
  Digest fingerprint{};
  std::uint64_t applied = 0;
  std::uint64_t ignored = 0;
  std::uint64_t redacted = 0;
  struct Base {
    SequenceNumber sequence;
    std::string_view source;  ///< "store" or "cache"
  };
  std::optional<Base> base;             ///< where folding began
  RedactionNotes::Standing redactions;  ///< of the aggregate when it began
};

/// Why there is none: for the answer, and what the fold itself has said.
struct ReplayFailure {
  Problem problem;
  std::optional<FoldFailure::Kind> fold;
};

struct ReplayLimits {
  std::chrono::milliseconds call_time{100};  ///< of a script for one event
  std::chrono::milliseconds whole_time{60'000};
  std::size_t state_bytes_max = 16U << 20;
};

/// Immutable but for what it keeps states in. Any thread; a replay takes its thread for as long as it lasts.
class Replayer {
 public:
  using Views = std::function<std::shared_ptr<const ReadView>()>;
  struct Parts {
    Views views;                                 ///< a view of now: a long replay takes one after another
    ScriptHost* scripts = nullptr;               ///< null: scripts cannot be run
    SnapshotStore* snapshots = nullptr;          ///< null: there are none
    StateCache* cache = nullptr;                 ///< null: none
    const RedactionNotes* redactions = nullptr;  ///< null: nothing is ever redacted
    const EventAliases* aliases = nullptr;       ///< null: there are none
    const EventUpcasts* upcasts = nullptr;       ///< null: events are folded as they are stored
    ReplayLimits limits{};
  };
  explicit Replayer(Parts parts) : parts_(std::move(parts)) {}

  /// `aggregate` as it is now. `abandoned` is asked now and then. In constant memory, but for the state.
  [[nodiscard]] std::variant<Replayed, ReplayFailure> replay(const AggregateSummary& aggregate,
                                                             const EventHandler& handler, const ReplayEnd& end,
                                                             const ReplayOptions& options,
                                                             const std::function<bool()>& abandoned) const;
  /// Evaluates a script and folds nothing: why it cannot be a handler.
  [[nodiscard]] std::optional<ReplayFailure> try_script(const EventHandler& handler,
                                                        const std::function<bool()>& abandoned) const;

  [[nodiscard]] std::string engine_id(const EventHandler& handler) const;
  /// The newest state of the aggregate that is kept at or before `at_most`, if folding may go on from it.
  struct Kept {
    std::shared_ptr<const CachedState> state;
    std::string_view source;
  };
  [[nodiscard]] std::optional<Kept> kept_state(const AggregateSummary& aggregate, const EventHandler& handler,
                                               SequenceNumber at_most) const;
  /// Calls `keep`, which is to keep a state, unless something of the aggregate was redacted since `since`, when its
  /// folding began, or is being redacted: then false.
  bool keep_unless_redacted(std::string_view aggregate_id, const RedactionNotes::Standing& since,
                            const std::function<void()>& keep) const;
  /// Whether a state that is kept with this fingerprint is what the events of the aggregate give now.
  [[nodiscard]] bool holds(const EventHandler& handler, std::string_view aggregate_id, const FoldedState& state,
                           const Digest& fingerprint) const;
  [[nodiscard]] const ReplayLimits& limits() const { return parts_.limits; }

 private:
  class Run;
  using Chains = std::shared_ptr<const UpcastChains>;
  [[nodiscard]] Chains chains() const { return parts_.upcasts == nullptr ? nullptr : parts_.upcasts->chains(); }
  [[nodiscard]] std::optional<Kept> kept_state(const AggregateSummary& aggregate, const EventHandler& handler,
                                               SequenceNumber at_most, const Chains& chains,
                                               const AliasTable* aliases) const;
  [[nodiscard]] Digest fingerprint(const EventHandler& handler, const FoldedTypes& types, const Chains& chains,
                                   const AliasTable* aliases, std::uint64_t redactions) const;
  /// Those of now, if the handler asks for names; null: none.
  [[nodiscard]] std::shared_ptr<const AliasTable> aliases_for(const EventHandler& handler) const;
  [[nodiscard]] RedactionNotes::Standing redactions_of(std::string_view aggregate_id) const;

  const Parts parts_;
};

/// The name under which the snapshot store keeps the states of a handler: its identity in hex.
[[nodiscard]] std::string snapshot_name(const EventHandler& handler);

}  // namespace stele::api
