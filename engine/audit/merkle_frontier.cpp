#include "engine/audit/merkle_frontier.h"

#include <bit>

#include "engine/base/check.h"
#include "engine/base/digest.h"

namespace stele {

Digest merkle_node(const Digest& left, const Digest& right) {
  return sha256({std::string_view("\1", 1), as_bytes(left), as_bytes(right)});
}

MerkleFrontier::MerkleFrontier(std::uint64_t size, std::vector<Digest> subtrees)
    : size_(size), subtrees_(std::move(subtrees)) {
  STELE_CHECK(subtrees_.size() == static_cast<std::size_t>(std::popcount(size_)));
}

void MerkleFrontier::append(const Digest& leaf) {
  Digest node = leaf;
  // As in binary addition, each low set bit is a subtree that the new one completes.
  for (std::uint64_t carry = size_; carry & 1; carry >>= 1) {
    node = merkle_node(subtrees_.back(), node);
    subtrees_.pop_back();
  }
  subtrees_.push_back(node);
  ++size_;
}

Digest MerkleFrontier::root() const {
  if (subtrees_.empty()) return sha256({});
  Digest node = subtrees_.back();
  for (auto left = std::next(subtrees_.rbegin()); left != subtrees_.rend(); ++left) node = merkle_node(*left, node);
  return node;
}

}  // namespace stele
