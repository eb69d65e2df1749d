#pragma once
// Proofs in the RFC 9162 Merkle tree: that a leaf stands in a tree (section 2.1.3), that a tree continues another one
// (2.1.4). Pure functions.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele {

/// Root of the perfect subtree of 2^level leaves that is number `index` of those of its level.
using ReadNode = std::function<Result<Digest>(unsigned level, std::uint64_t index)>;

/// No path is longer: one hash a level, and one more of a consistency path.
inline constexpr std::size_t kMerklePathMax = 65;

/// Root of the tree of the first `size` leaves. Errors of `read`.
[[nodiscard]] Result<Digest> merkle_root(std::uint64_t size, const ReadNode& read);
/// From the leaf's sibling up. InvalidArgument unless index < size; errors of `read`.
[[nodiscard]] Result<std::vector<Digest>> inclusion_path(std::uint64_t index, std::uint64_t size, const ReadNode& read);
/// InvalidArgument unless 0 < first <= second; errors of `read`.
[[nodiscard]] Result<std::vector<Digest>> consistency_path(std::uint64_t first, std::uint64_t second,
                                                           const ReadNode& read);

/// InvalidArgument: there can be no such proof (size 0, an index beyond it, a path of another length), told before
/// anything is hashed. Corrupt: it does not lead to the root.
[[nodiscard]] Status verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                                      std::span<const Digest> path, const Digest& root);
/// The same of two trees; `first` = 0 is no proof of anything and refused.
[[nodiscard]] Status verify_consistency(std::uint64_t first, std::uint64_t second, std::span<const Digest> path,
                                        const Digest& first_root, const Digest& second_root);

}  // namespace stele
