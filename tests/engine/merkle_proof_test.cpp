#include "engine/audit/merkle_proof.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/base/digest.h"
#include "tests/engine/digest_text.h"

namespace stele {
namespace {

using Path = std::vector<Digest>;

/// The definition of RFC 9162, 2.1.1, word for word.
Digest naive_root(const std::vector<Digest>& leaves, std::size_t begin, std::size_t n) {
  if (n == 0) return sha256({});
  if (n == 1) return leaves[begin];
  std::size_t k = 1;
  while (2 * k < n) k *= 2;
  return merkle_node(naive_root(leaves, begin, k), naive_root(leaves, begin + k, n - k));
}

ReadNode nodes_of(const std::vector<Digest>& leaves) {
  return [&leaves](unsigned level, std::uint64_t index) -> Result<Digest> {
    const std::size_t n = std::size_t{1} << level;
    REQUIRE((index + 1) * n <= leaves.size());
    return naive_root(leaves, index * n, n);
  };
}

std::vector<Digest> some_leaves(std::size_t n) {
  std::vector<Digest> leaves;
  for (std::size_t i = 0; i < n; ++i) leaves.push_back(sha256({std::string_view("\0", 1), std::to_string(i)}));
  return leaves;
}

}  // namespace

// The eight leaves and roots that implementations of Certificate Transparency are tested with.
TEST_CASE("MerkleProof.KnownTree") {
  using namespace std::string_view_literals;
  const std::vector<std::string_view> entries{""sv,
                                              "\x00"sv,
                                              "\x10"sv,
                                              "\x20\x21"sv,
                                              "\x30\x31"sv,
                                              "\x40\x41\x42\x43"sv,
                                              "\x50\x51\x52\x53\x54\x55\x56\x57"sv,
                                              "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"sv};
  std::vector<Digest> leaves;
  for (const std::string_view entry : entries) leaves.push_back(sha256({"\0"sv, entry}));
  const ReadNode read = nodes_of(leaves);
  CHECK(hex(*merkle_root(1, read)) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  CHECK(hex(*merkle_root(3, read)) == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
  CHECK(hex(*merkle_root(8, read)) == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
  const auto path = inclusion_path(5, 8, read);
  REQUIRE(path);
  REQUIRE(path->size() == 3);
  CHECK(hex((*path)[0]) == "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
  CHECK(hex((*path)[1]) == "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
  CHECK(hex((*path)[2]) == "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
}

TEST_CASE("MerkleProof.EveryLeafOfEveryTree") {
  const std::vector<Digest> leaves = some_leaves(130);
  const ReadNode read = nodes_of(leaves);
  CHECK(*merkle_root(0, read) == sha256({}));
  for (std::uint64_t size = 1; size <= leaves.size(); ++size) {
    const Digest root = *merkle_root(size, read);
    CHECK(root == naive_root(leaves, 0, size));
    for (std::uint64_t index = 0; index < size; ++index) {
      const Path path = *inclusion_path(index, size, read);
      CHECK(verify_inclusion(leaves[index], index, size, path, root));
      if (size > 1) CHECK_FALSE(verify_inclusion(leaves[index], index == 0 ? 1 : index - 1, size, path, root));
    }
    CHECK(inclusion_path(size, size, read).error().kind == ErrorKind::InvalidArgument);
  }
}

TEST_CASE("MerkleProof.EveryTreeAndEachThatContinuesIt") {
  const std::vector<Digest> leaves = some_leaves(130);
  const ReadNode read = nodes_of(leaves);
  std::vector<Digest> roots;
  for (std::uint64_t size = 0; size <= leaves.size(); ++size) roots.push_back(*merkle_root(size, read));
  for (std::uint64_t second = 1; second <= leaves.size(); ++second) {
    for (std::uint64_t first = 1; first <= second; ++first) {
      const Path path = *consistency_path(first, second, read);
      CHECK(verify_consistency(first, second, path, roots[first], roots[second]));
      CHECK_FALSE(verify_consistency(first, second, path, roots[first - 1], roots[second]));
      CHECK_FALSE(verify_consistency(first, second, path, roots[first], roots[second - 1]));
    }
    CHECK_FALSE(consistency_path(0, second, read));
    CHECK_FALSE(consistency_path(second + 1, second, read));
    CHECK_FALSE(verify_consistency(0, second, Path{}, roots[0], roots[second]));
  }
}

TEST_CASE("MerkleProof.NothingElseIsOne") {
  const std::vector<Digest> leaves = some_leaves(100);
  const ReadNode read = nodes_of(leaves);
  const auto each_change = [](const Path& path, const auto& is_refused) {
    for (std::size_t i = 0; i < path.size(); ++i) {
      for (std::size_t bit = 0; bit < 256; bit += 37) {
        Path changed = path;
        changed[i][bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        CHECK(is_refused(changed, ErrorKind::Corrupt));
      }
      Path shorter = path;
      shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
      CHECK(is_refused(shorter, ErrorKind::InvalidArgument));
      Path longer = path;
      longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(i), path[i]);
      CHECK(is_refused(longer, ErrorKind::InvalidArgument));
    }
  };
  for (const std::uint64_t size : {2, 3, 64, 65, 100}) {
    const Digest root = *merkle_root(size, read);
    for (const std::uint64_t index : {std::uint64_t{0}, size / 2, size - 1}) {
      each_change(*inclusion_path(index, size, read), [&](const Path& path, ErrorKind kind) {
        const Status verified = verify_inclusion(leaves[index], index, size, path, root);
        return !verified && verified.error().kind == kind;
      });
    }
    for (const std::uint64_t first : {std::uint64_t{1}, size / 2, size - 1}) {
      if (first == 0) continue;
      const Digest first_root = *merkle_root(first, read);
      each_change(*consistency_path(first, size, read), [&](const Path& path, ErrorKind kind) {
        const Status verified = verify_consistency(first, size, path, first_root, root);
        return !verified && verified.error().kind == kind;
      });
    }
  }
  CHECK_FALSE(verify_inclusion(leaves[0], 0, 0, Path{}, sha256({})));
  CHECK_FALSE(verify_consistency(3, 3, Path{leaves[0]}, leaves[0], leaves[0]));
  CHECK_FALSE(verify_consistency(3, 3, Path{}, leaves[0], leaves[1]));
  // A path as long as none can be is refused at once.
  CHECK_FALSE(verify_inclusion(leaves[0], 0, ~std::uint64_t{0}, Path(kMerklePathMax + 1, leaves[0]), leaves[0]));
}

}  // namespace stele
