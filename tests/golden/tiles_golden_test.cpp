// The bytes of the files of tiles.

#include <doctest/doctest.h>

#include "engine/audit/merkle_tree.h"
#include "engine/base/digest.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/sample_log.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

using namespace stele;
using stele::test::TempFolder;

namespace {

constexpr std::size_t kTiledLeaves = 300;
constexpr std::size_t kTileHeaderBytes = 64;

MerkleFrontier edge_of(const std::vector<Digest>& leaves) {
  MerkleFrontier edge;
  for (const Digest& leaf : leaves) edge.append(leaf);
  return edge;
}

std::vector<Digest> tiled_leaves() {
  std::vector<Digest> leaves;
  for (std::size_t i = 0; i < kTiledLeaves; ++i) leaves.push_back(sha256({"leaf ", std::to_string(i)}));
  return leaves;
}

MerkleTreeOptions options_in(const std::string& folder, const MerkleFrontier& edge, std::uint64_t* reads) {
  return {.files = {.file_system = &posix_file_system(), .folder = folder, .store_id = kSampleStore, .in_place = {}},
          .head =
              [edge] {
                return TreeHead{edge.size(), edge.root()};
              },
          .read_leaf = [reads](Position position) -> Result<Digest> {
            ++*reads;
            return tiled_leaves()[position.value()];
          },
          .rebuild_bytes_per_second = 0};
}

}  // namespace

TEST_CASE("GoldenTiles.WritingGivesTheGoldenBytes") {
  const TempFolder folder;
  const std::vector<Digest> leaves = tiled_leaves();
  std::uint64_t reads = 0;
  MerkleTree tree(options_in(folder.path() + "/tiles", edge_of(leaves), &reads), MerkleFrontier());
  tree.append(Position{0}, leaves);
  REQUIRE(tree.root(kTiledLeaves));
  check_golden("0.tiles", tests::read_file(folder.path() + "/tiles/0.tiles"));
  check_golden("1.tiles", tests::read_file(folder.path() + "/tiles/1.tiles"));
  CHECK(reads == 0);
}

TEST_CASE("GoldenTiles.TheGoldenBytesAreReadAsTheTree") {
  const TempFolder folder;
  for (const char* const name : {"0.tiles", "1.tiles"})
    tests::write_file(folder.path() + "/" + name, golden_bytes(name));
  const std::vector<Digest> leaves = tiled_leaves();
  const MerkleFrontier edge = edge_of(leaves);
  std::uint64_t reads = 0;
  MerkleTree tree(options_in(folder.path(), edge, &reads), edge);
  const auto root = tree.root(kTiledLeaves);
  REQUIRE(root);
  CHECK(*root == edge.root());
  CHECK(reads == 0);
  CHECK(golden_bytes("0.tiles").size() == kTileHeaderBytes + kTiledLeaves * sizeof(Digest));
  CHECK(golden_bytes("1.tiles").size() == kTileHeaderBytes + sizeof(Digest));
}
