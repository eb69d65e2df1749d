#include "engine/audit/merkle_frontier.h"

#include <doctest/doctest.h>

#include <span>
#include <string>

#include "engine/base/digest.h"
#include "tests/engine/digest_text.h"

using namespace stele;

namespace {

/// MTH of RFC 9162, section 2.1.1, as it is written there.
Digest recursive_root(std::span<const Digest> leaves) {
  if (leaves.empty()) return sha256({});
  if (leaves.size() == 1) return leaves[0];
  std::size_t k = 1;
  while (k * 2 < leaves.size()) k *= 2;
  const Digest left = recursive_root(leaves.first(k));
  const Digest right = recursive_root(leaves.subspan(k));
  return sha256({std::string(1, '\1') + std::string(as_bytes(left)) + std::string(as_bytes(right))});
}

Digest leaf_of(std::string_view entry) { return sha256({std::string_view("\0", 1), entry}); }

}  // namespace

TEST_CASE("MerkleFrontier.EqualsTheRecursiveDefinitionAtEverySize") {
  MerkleFrontier frontier;
  std::vector<Digest> leaves;
  for (int size = 0; size <= 130; ++size) {
    CAPTURE(size);
    CHECK(frontier.size() == leaves.size());
    CHECK(frontier.root() == recursive_root(leaves));
    leaves.push_back(leaf_of("entry " + std::to_string(size)));
    frontier.append(leaves.back());
  }
}

TEST_CASE("MerkleFrontier.GivesTheRootsOfTheCertificateTransparencyVectors") {
  using namespace std::string_view_literals;
  const std::string_view entries[] = {""sv,
                                      "\x00"sv,
                                      "\x10"sv,
                                      "\x20\x21"sv,
                                      "\x30\x31"sv,
                                      "\x40\x41\x42\x43"sv,
                                      "\x50\x51\x52\x53\x54\x55\x56\x57"sv,
                                      "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"sv};
  const char* const roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                               "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                               "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                               "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                               "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                               "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                               "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                               "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  MerkleFrontier frontier;
  CHECK(hex(frontier.root()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (std::size_t i = 0; i < 8; ++i) {
    frontier.append(leaf_of(entries[i]));
    CHECK(hex(frontier.root()) == roots[i]);
  }
}

TEST_CASE("MerkleFrontier.OrderAndContentOfLeavesMatter") {
  MerkleFrontier one, two;
  one.append(leaf_of("a"));
  one.append(leaf_of("b"));
  two.append(leaf_of("b"));
  two.append(leaf_of("a"));
  CHECK(one.root() != two.root());
}
