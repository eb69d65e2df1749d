#pragma once
// The proof of a record as JSON: what GET /v1/events/{eventId}/proof answers and a line of a bundle is. No I/O.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/log/record.h"

namespace stele::api {

/// `path` leads from the record's leaf to the root of the tree of `tree_size` leaves that the signed `note` is of. What
/// was redacted, and what only the store may see, is shown as a digest.
[[nodiscard]] std::string event_proof_json(const Record& record, std::span<const Digest> path, std::uint64_t tree_size,
                                           std::string_view note);

}  // namespace stele::api
