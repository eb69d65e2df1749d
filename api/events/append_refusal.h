#pragma once

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "engine/base/read_budget.h"
#include "engine/commit/proposal.h"
#include "engine/store/read_view.h"

namespace stele::api {

struct EventNotes;

/// Why a proposal was not stored, for an outcome that is neither Stored nor Repeated. Shows the events that stand in
/// the way, as far as `caller` may see them and `budget` lasts. May wait for the disk.
[[nodiscard]] Problem append_refusal(const Proposal& proposal, const AppendOutcome& outcome, const Caller& caller,
                                     const ReadView& view, ReadBudget& budget, const EventNotes* notes);

}  // namespace stele::api
