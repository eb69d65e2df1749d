#pragma once
// Proposals as bytes, for an order that is made outside this process: format-spec.md ("Proposal"). No I/O.

#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/commit/proposal.h"

namespace stele {

/// `proposal` is as the committer takes it: its records are sealed, the ids of its events distinct. Of each record the
/// salts' seed and the body are sent, not its digest.
[[nodiscard]] std::string encode_proposal(const Proposal& proposal);

/// Computes the digests anew, so that a record is what it says. Corrupt for anything that encode_proposal() does not
/// make: what comes back may be given to the committer without another look.
[[nodiscard]] Result<Proposal> decode_proposal(std::string_view bytes);

}  // namespace stele
