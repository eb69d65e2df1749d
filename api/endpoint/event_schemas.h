#pragma once
// What the data of events must be, for the subject that appends them.

#include <optional>

#include "api/http/event_places.h"
#include "api/http/problem.h"
#include "engine/base/read_budget.h"
#include "engine/commit/proposal.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe.
class EventSchemas {
 public:
  virtual ~EventSchemas() = default;

  struct Verdict {
    std::optional<Problem> problem;
    bool would_wait = false;  ///< it takes a while or the disk: ask again where that is allowed; nothing is known yet
  };
  /// Whether each event satisfies the schema of its version; gives those a version that were sent without one, has the
  /// condition mean event types by all their names, and says in the proposal under which schemas and aliases that
  /// holds. What is stored already is not refused, so that a repeat stays one.
  [[nodiscard]] virtual Verdict check(Proposal& proposal, const EventPlaces& places, DiskWait wait) = 0;
  /// Schemas have changed, at last by the record at `change`: learns how, for the next check(). May wait for the disk.
  [[nodiscard]] virtual std::optional<Problem> catch_up(Position change) = 0;
};

}  // namespace stele::api
