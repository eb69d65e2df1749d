#include "engine/audit/merkle_proof.h"

#include <bit>

#include "engine/audit/merkle_frontier.h"
#include "engine/base/digest.h"

namespace stele {

namespace {

Error no_proof(const char* message) { return Error{.kind = ErrorKind::InvalidArgument, .message = message}; }
Error not_proven(const char* message) { return Error{.kind = ErrorKind::Corrupt, .message = message}; }

/// Where a tree of n > 1 leaves splits: the largest power of two less than n.
std::uint64_t split_of(std::uint64_t n) { return std::bit_floor(n - 1); }

/// Root over the leaves [begin, begin + n); n > 0, and begin as the splits of a tree give it.
Result<Digest> range_root(std::uint64_t begin, std::uint64_t n, const ReadNode& read) {
  if (std::has_single_bit(n)) {
    const auto level = static_cast<unsigned>(std::countr_zero(n));
    return read(level, begin >> level);
  }
  const std::uint64_t k = split_of(n);
  STELE_ASSIGN(const Digest left, range_root(begin, k, read));
  STELE_ASSIGN(const Digest right, range_root(begin + k, n - k, read));
  return merkle_node(left, right);
}

/// PATH of RFC 9162, 2.1.3.1.
Status add_path(std::uint64_t index, std::uint64_t begin, std::uint64_t n, const ReadNode& read,
                std::vector<Digest>& path) {
  if (n == 1) return {};
  const std::uint64_t k = split_of(n);
  const bool is_left = index < k;
  STELE_TRY(is_left ? add_path(index, begin, k, read, path) : add_path(index - k, begin + k, n - k, read, path));
  STELE_ASSIGN(const Digest sibling, is_left ? range_root(begin + k, n - k, read) : range_root(begin, k, read));
  path.push_back(sibling);
  return {};
}

/// SUBPROOF of RFC 9162, 2.1.4.1; `is_known`: the verifier has the root of the leaves [begin, begin + first).
Status add_subproof(std::uint64_t first, std::uint64_t begin, std::uint64_t n, bool is_known, const ReadNode& read,
                    std::vector<Digest>& path) {
  if (first == n) {
    if (is_known) return {};
    STELE_ASSIGN(const Digest root, range_root(begin, n, read));
    path.push_back(root);
    return {};
  }
  const std::uint64_t k = split_of(n);
  const bool is_left = first <= k;
  STELE_TRY(is_left ? add_subproof(first, begin, k, is_known, read, path)
                    : add_subproof(first - k, begin + k, n - k, false, read, path));
  STELE_ASSIGN(const Digest sibling, is_left ? range_root(begin + k, n - k, read) : range_root(begin, k, read));
  path.push_back(sibling);
  return {};
}

/// Levels at which a leaf has a sibling: RFC 9162's loop without the hashes.
std::size_t inclusion_length(std::uint64_t index, std::uint64_t size) {
  std::size_t length = 0;
  for (std::uint64_t fn = index, sn = size - 1; sn > 0; fn >>= 1, sn >>= 1) {
    if ((fn & 1) != 0 || fn < sn) ++length;
  }
  return length;
}

}  // namespace

Result<Digest> merkle_root(std::uint64_t size, const ReadNode& read) {
  if (size == 0) return sha256({});
  return range_root(0, size, read);
}

Result<std::vector<Digest>> inclusion_path(std::uint64_t index, std::uint64_t size, const ReadNode& read) {
  if (index >= size) return no_proof("the tree has no such leaf");
  std::vector<Digest> path;
  STELE_TRY(add_path(index, 0, size, read, path));
  return path;
}

Result<std::vector<Digest>> consistency_path(std::uint64_t first, std::uint64_t second, const ReadNode& read) {
  if (first == 0 || first > second) return no_proof("the first tree must have leaves, and no more than the second");
  std::vector<Digest> path;
  STELE_TRY(add_subproof(first, 0, second, true, read, path));
  return path;
}

Status verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, std::span<const Digest> path,
                        const Digest& root) {
  if (index >= size) return no_proof("the tree has no such leaf");
  if (path.size() != inclusion_length(index, size))
    return no_proof("the path has another length than a proof of this leaf");
  Digest node = leaf;
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  for (const Digest& sibling : path) {
    // A node that ends its level without a sibling is passed on to where it has one.
    while ((fn & 1) == 0 && fn == sn) {
      fn >>= 1;
      sn >>= 1;
    }
    node = (fn & 1) != 0 ? merkle_node(sibling, node) : merkle_node(node, sibling);
    fn >>= 1;
    sn >>= 1;
  }
  if (node != root) return not_proven("the path does not lead from the leaf to the root");
  return {};
}

Status verify_consistency(std::uint64_t first, std::uint64_t second, std::span<const Digest> path,
                          const Digest& first_root, const Digest& second_root) {
  if (first == 0 || first > second) return no_proof("the first tree must have leaves, and no more than the second");
  if (first == second) {
    if (!path.empty()) return no_proof("between trees of one size there is nothing to prove");
    if (first_root != second_root) return not_proven("the trees have one size and two roots");
    return {};
  }
  // The subtree that ends the first tree: if it is all of that tree, its root is known.
  const auto level = static_cast<unsigned>(std::countr_zero(first));
  const std::uint64_t index = (first - 1) >> level;
  const bool is_known = std::has_single_bit(first);
  const std::size_t length = inclusion_length(index, ((second - 1) >> level) + 1) + (is_known ? 0 : 1);
  if (path.size() != length) return no_proof("the path has another length than a proof between these trees");
  Digest old_node = is_known ? first_root : path.front();
  Digest new_node = old_node;
  std::uint64_t fn = index;
  std::uint64_t sn = (second - 1) >> level;
  for (const Digest& sibling : path.subspan(is_known ? 0 : 1)) {
    while ((fn & 1) == 0 && fn == sn) {
      fn >>= 1;
      sn >>= 1;
    }
    if ((fn & 1) != 0) {
      old_node = merkle_node(sibling, old_node);
      new_node = merkle_node(sibling, new_node);
    } else {
      new_node = merkle_node(new_node, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (old_node != first_root) return not_proven("the path does not lead to the root of the first tree");
  if (new_node != second_root) return not_proven("the path does not lead to the root of the second tree");
  return {};
}

}  // namespace stele
