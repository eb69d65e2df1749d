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
  std::uint64_t answers = 0;
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
    // Damage is found by whoever comes across it, and then it is repaired.
    const auto ask = [&](auto question) {
      auto answer = question();
      for (int i = 0; i < 5 && must_answer && !answer; ++i) answer = question();
      REQUIRE_MESSAGE((answer || !must_answer || disk.power_is_cut()),
                      (answer ? "" : answer.error().describe() + "; " + tree.trouble()));
      ++(answer ? answers : refusals);
      return answer;
    };
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t to = 1 + below(size), from = 1 + below(to), position = below(to);
      const std::uint64_t tile = position / 256, width = 1 + below(std::min<std::uint64_t>(256, size - tile * 256));
      if (const auto path = ask([&] { return tree.inclusion(Position{position}, to); })) {
        REQUIRE(verify_inclusion(leaves[position], position, to, *path, roots[to]));
      }
      if (const auto path = ask([&] { return tree.consistency(from, to); })) {
        REQUIRE(verify_consistency(from, to, *path, roots[from], roots[to]));
      }
      if (const auto root = ask([&] { return tree.root(to); })) REQUIRE(*root == roots[to]);
      if (const auto hashes = ask([&] { return tree.tile(0, tile, width); })) {
        REQUIRE(hashes->size() == width);
        const auto expected = leaves.begin() + static_cast<std::ptrdiff_t>(tile * 256);
        REQUIRE(std::equal(hashes->begin(), hashes->end(), expected));
      }
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
    for (int i = 0; i < 5; ++i) {
      damage();
      append_some(**store);
      check_tree(**store, true);
    }
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
  const std::uint64_t single = number_from("STELE_CRASH_SEED", 0);
  const std::uint64_t first = single != 0 ? single : 1;
  const std::uint64_t seeds = single != 0 ? 1 : number_from("STELE_CRASH_SEEDS", 25);
  std::uint64_t answers = 0, refusals = 0, crashes = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    CAPTURE(seed);
    TreeTrial trial(seed);
    trial.run_tree();
    answers += trial.answers;
    refusals += trial.refusals;
    crashes += trial.crashes;
  }
  MESSAGE(crashes << " crashes, " << answers << " answers, " << refusals << " times not ready");
  CHECK(answers > seeds * 100);
  if (single == 0) CHECK(refusals > 0);
}
