#pragma once
// The right edge of the RFC 9162 Merkle tree: the roots of the perfect subtrees that the leaves so far decompose into,
// largest first. Enough to append leaves and to compute the root; 32 bytes for each set bit of the tree's size.

#include <cstdint>
#include <vector>

#include "engine/base/ids.h"

namespace stele {

class MerkleFrontier {
 public:
  MerkleFrontier() = default;
  /// Goes on from where another one stood; one subtree for each set bit of `size`.
  MerkleFrontier(std::uint64_t size, std::vector<Digest> subtrees);
  void append(const Digest& leaf);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::vector<Digest>& subtrees() const { return subtrees_; }
  /// RFC 9162 section 2.1.1; SHA-256("") for the empty tree.
  [[nodiscard]] Digest root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> subtrees_;
};

/// SHA-256(0x01 ‖ left ‖ right).
[[nodiscard]] Digest merkle_node(const Digest& left, const Digest& right);

}  // namespace stele
