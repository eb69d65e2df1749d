#pragma once
// The states of this process before those that it shares with others.

#include <functional>
#include <memory>

#include "api/records/redaction_notes.h"
#include "api/replay/state_cache.h"
#include "engine/store/read_view.h"

namespace stele::api {

/// `near`, `far` and `redactions` must outlive it. `far` may be null, and `redactions`: then there are none.
class LayeredStateCache final : public StateCache {
 public:
  using Views = std::function<std::shared_ptr<const ReadView>()>;
  LayeredStateCache(StateCache& near, SharedStateCache* far, Views views, const RedactionNotes* redactions)
      : near_(near), far_(far), views_(std::move(views)), redactions_(redactions) {}

  /// Waits for `far` if it has to be asked. What that gives is kept near, unless some of the aggregate was redacted
  /// meanwhile or is being redacted.
  [[nodiscard]] std::shared_ptr<const CachedState> find(std::string_view aggregate_id, const Digest& handler) override;
  bool put(std::string_view aggregate_id, const Digest& handler, std::shared_ptr<const CachedState> state) override;

 private:
  /// Whether its last event is still in the log. A restored backup has the store's id and secrets, but may have gone on
  /// with other events at the same positions.
  [[nodiscard]] bool is_of_this_history(std::string_view aggregate_id, const FoldedState& state) const;

  StateCache& near_;
  SharedStateCache* const far_;
  const Views views_;
  const RedactionNotes* const redactions_;
};

}  // namespace stele::api
