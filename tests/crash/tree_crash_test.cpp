// The Merkle tree of a store on a disk that drops, tears and reorders what was not synced, and fails calls. After every
// crash it answers right or says that it is not ready, and once it is all proofs hold.

#include <doctest/doctest.h>

#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"
#include "engine/audit/merkle_tree.h"
#include "tests/crash/store_trial.h"

using namespace stele;
using stele::test::number_from;
using stele::test::Trial;

namespace {

struct TreeTrial : Trial {
  using Trial::Trial;
  std::uint64_t proofs = 0;
  std::uint64_t refusals = 0;

  /// What every answer must agree with: made of the records, which are checked against the ledger.
  void check_tree(Store& store, bool must_answer) {
    std::vector<Digest> leaves;
    std::vector<Digest> roots(1);
    MerkleFrontier edge;
    Record record;
    const auto view = store.view();
    for (Position p{0}; p < view->end(); p = p.next()) {
      if (!read(*view, p, record)) return;
      leaves.push_back(record.leaf());
      edge.append(leaves.back());
      roots.push_back(edge.root());
    }
    REQUIRE(edge.root() == store.head().root);
    MerkleTree& tree = store.tree();
    const std::uint64_t size = leaves.size();
    // It may have to find out first that something is wrong, and then to repair it.
    for (int i = 0; must_answer && i < 5 && !tree.tile(0, 0, 1); ++i) {
    }
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t to = 1 + below(size), from = 1 + below(to), position = below(to);
      const auto inclusion = tree.inclusion(Position{position}, to);
      const auto consistency = tree.consistency(from, to);
      const auto root = tree.root(to);
      const std::uint64_t tile = position / 256, width = 1 + below(std::min<std::uint64_t>(256, size - tile * 256));
      const auto hashes = tree.tile(0, tile, width);
      if (inclusion) REQUIRE(verify_inclusion(leaves[position], position, to, *inclusion, roots[to]));
      if (consistency) REQUIRE(verify_consistency(from, to, *consistency, roots[from], roots[to]));
      if (root) REQUIRE(*root == roots[to]);
      if (hashes)
        REQUIRE(std::equal(hashes->begin(), hashes->end(), leaves.begin() + static_cast<std::ptrdiff_t>(tile * 256)));
      if (hashes) REQUIRE(hashes->size() == width);
      const bool all = inclusion && consistency && root && hashes;
      REQUIRE((all || !must_answer || i < 5));
      ++(all ? proofs : refusals);
    }
  }

  void run_tree() {
    for (int round = 0; round < 5; ++round) {
      order_trouble();
      if (auto store = Store::open(options())) {
        for (std::uint64_t i = 0, n = below(60); i < n; ++i) {
          append_some(**store);
          if (chance(20)) check_tree(**store, false);
        }
        if (!disk.power_is_cut()) {
          disk.stop_failing();
          check_tree(**store, (*store)->health().reason.empty());
        }
        if (chance(70)) disk.cut_power();  // otherwise it is closed in good order
      }
      crash();
      trouble = false;
      if (chance(30)) damage();
    }
    auto store = Store::open(options());
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    settle_unknown(**store);
    check(**store);
    check_tree(**store, true);
    append_some(**store);
    check_tree(**store, true);
  }

  /// Tiles are lost, cut or changed.
  void damage() {
    const std::string path = "/store/tiles/" + std::to_string(below(2)) + ".tiles";
    if (!disk.exists(path) || !*disk.exists(path)) return;
    if (chance(30)) {
      REQUIRE(disk.remove(path));
      return;
    }
    auto file = disk.open(path, OpenMode::ReadWrite);
    REQUIRE(file);
    const std::uint64_t size = *(*file)->size();
    if (size == 0) return;
    const std::uint64_t at = below(size);
    if (chance(30)) {
      REQUIRE((*file)->truncate(at));
    } else {
      REQUIRE((*file)->write_at(ByteOffset{at}, std::string(1, static_cast<char>(below(256)))));
    }
  }
};

}  // namespace

TEST_CASE("TreeCrash.NeverAWrongAnswerAndAllOfThemInTheEnd") {
  const std::uint64_t seeds = number_from("STELE_CRASH_SEEDS", 60);
  std::uint64_t proofs = 0, crashes = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    TreeTrial trial(seed);
    trial.run_tree();
    proofs += trial.proofs;
    crashes += trial.crashes;
  }
  MESSAGE(crashes << " crashes, " << proofs << " rounds of proofs");
  CHECK(proofs > seeds * 40);
}
