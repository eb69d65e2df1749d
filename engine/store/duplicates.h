#pragma once
// Whether a proposal whose event ids are already taken repeats what is stored.

#include "engine/commit/proposal.h"
#include "engine/store/store.h"

namespace stele {

/// True if `record` holds what the client sent in `event`: every member it sent, data and metadata byte for byte, and
/// no member that it did not send but did send before. What the server gave (position, time, generated ids) does not
/// count.
[[nodiscard]] bool same_content(const RecordDraft& event, const Record& record);

/// Repeated, EventIdConflict, EventRedacted or ReadFailed for a decision with duplicates. Reads the stored events.
[[nodiscard]] AppendOutcome compare_duplicates(const Decision& decision, const ReadView& view);

}  // namespace stele
