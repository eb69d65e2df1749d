#pragma once
// How one subject hears of what another has appended.

#include <functional>

#include "engine/commit/proposal.h"

namespace stele::api {

/// Called for each commit that was just stored by a request, before its answer, on the thread that answers: must be
/// quick. What is appended while nobody listens, or just before a crash, is not told.
using AppendListener = std::function<void(const Proposal& proposal, const AppendOutcome& stored)>;

}  // namespace stele::api
