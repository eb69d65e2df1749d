#pragma once
// What is answered where the Merkle tree gives no answer.

#include "api/http/problem.h"
#include "engine/audit/merkle_tree.h"
#include "engine/base/result.h"

namespace stele::api {

/// 503 with how far it is: hashes are being made again.
[[nodiscard]] Problem tree_rebuilding(const TreeProgress& progress);

/// The same if that is the error; else what a failed read is.
[[nodiscard]] Problem tree_refusal(const Error& error, const TreeProgress& progress);

}  // namespace stele::api
