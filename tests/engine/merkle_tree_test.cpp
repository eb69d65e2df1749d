// The tree kept in tile files: whatever becomes of the files, it answers right or says that it does not know yet.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/audit/merkle_proof.h"
#include "engine/audit/merkle_tree.h"
#include "engine/base/digest.h"
#include "engine/base/mutex.h"
#include "tests/support/eventually.h"
#include "tests/support/gated_file_system.h"
#include "tests/support/gated_writes.h"
#include "tests/support/simulated_file_system.h"

namespace stele {

using tests::eventually;

namespace {

constexpr std::uint64_t kPastTwoLevels = 256 * 256 + 600;

/// A log that has leaves and nothing else, and its tree in files of a disk in memory.
struct TreeOfLeaves {
  SimulatedFileSystem disk{1};
  std::vector<Digest> leaves;
  MerkleFrontier frontier;
  std::map<std::uint64_t, Digest> roots;   ///< by size
  std::uint64_t reads = 0;                 ///< of leaves from the log
  std::optional<std::uint64_t> changed{};  ///< position of a record that is another one now
  Uuid store_id{{7}};
  bool is_displaced = false;  ///< the folder is another one than the log's
  std::unique_ptr<MerkleTree> tree;

  explicit TreeOfLeaves(std::uint64_t count) {
    open();
    append(count);
  }
  void open() {
    tree.reset();
    tree = std::make_unique<MerkleTree>(MerkleTreeOptions{.files = {.file_system = &disk,
                                                                    .folder = "/tiles",
                                                                    .store_id = store_id,
                                                                    .in_place = [this] { return in_place(); }},
                                                          .head =
                                                              [this] {
                                                                return TreeHead{frontier.size(), frontier.root()};
                                                              },
                                                          .read_leaf = [this](Position position) -> Result<Digest> {
                                                            ++reads;
                                                            Digest leaf = leaves[position.value()];
                                                            if (changed == position.value()) leaf[0] ^= 1;
                                                            return leaf;
                                                          },
                                                          .rebuild_bytes_per_second = 0},
                                        frontier);
    tree->start();
    reads = 0;
  }
  [[nodiscard]] Status in_place() const {
    return is_displaced ? Status(Error{.kind = ErrorKind::Displaced, .message = "moved away"}) : Status();
  }
  void append(std::uint64_t count) {
    const std::uint64_t first = leaves.size();
    for (std::uint64_t i = 0; i < count; ++i) {
      leaves.push_back(sha256({std::to_string(first + i)}));
      frontier.append(leaves.back());
    }
    tree->append(Position{first}, std::span(leaves).subspan(first));
  }

  [[nodiscard]] Digest root_of(std::uint64_t size) {
    const auto [known, is_new] = roots.try_emplace(size);
    if (is_new) {
      MerkleFrontier edge;
      for (std::uint64_t i = 0; i < size; ++i) edge.append(leaves[i]);
      known->second = edge.root();
    }
    return known->second;
  }
  /// The tree may say that it is not ready, a few times.
  template <class Ask>
  auto answer(Ask ask) {
    auto got = ask();
    for (int i = 0; i < 5 && !got; ++i) {
      REQUIRE_MESSAGE(got.error().kind == ErrorKind::NotReady, got.error().describe());
      got = ask();
    }
    REQUIRE_MESSAGE(got, got.error().describe());
    return *got;
  }
  void check_inclusion(std::uint64_t position, std::uint64_t size) {
    const auto path = answer([&] { return tree->inclusion(Position{position}, size); });
    CHECK(verify_inclusion(leaves[position], position, size, path, root_of(size)));
  }
  void check_consistency(std::uint64_t first, std::uint64_t second) {
    const auto path = answer([&] { return tree->consistency(first, second); });
    CHECK(verify_consistency(first, second, path, root_of(first), root_of(second)));
  }
  void check_tile(std::uint64_t index, std::uint64_t width) {
    const auto hashes = answer([&] { return tree->tile(0, index, width); });
    const auto begin = leaves.begin() + static_cast<std::ptrdiff_t>(index * 256);
    CHECK(hashes == std::vector<Digest>(begin, begin + static_cast<std::ptrdiff_t>(width)));
  }
  void check_all() {
    const std::uint64_t size = leaves.size();
    for (const std::uint64_t at : {std::uint64_t{1}, size / 3, size / 2, size - 1, size}) {
      if (at == 0) continue;
      CHECK(answer([&] { return tree->root(at); }) == root_of(at));
      check_inclusion(at - 1, size);
      check_inclusion(0, at);
      check_consistency(at, size);
    }
    if (size >= 256) check_tile(size / 512, 256);
    if (size % 256 != 0) check_tile(size / 256, size % 256);
  }
  [[nodiscard]] std::string path(unsigned level) const { return "/tiles/" + std::to_string(level) + ".tiles"; }
  void flip(unsigned level, std::uint64_t offset) {
    const auto file = disk.open(path(level), OpenMode::ReadWrite);
    REQUIRE(file);
    char byte = 0;
    REQUIRE((*file)->read_at(ByteOffset{offset}, {&byte, 1}));
    byte = static_cast<char>(byte ^ 0x10);
    REQUIRE((*file)->write_at(ByteOffset{offset}, {&byte, 1}));
  }
  void cut(unsigned level, std::uint64_t length) {
    const auto file = disk.open(path(level), OpenMode::ReadWrite);
    REQUIRE(file);
    REQUIRE((*file)->truncate(length));
  }
};

}  // namespace

TEST_CASE("MerkleTree.AnswersWhatTheDefinitionSays") {
  TreeOfLeaves log(1);
  for (const std::uint64_t more : {1U, 1U, 5U, 200U, 48U, 1U, 255U, 256U, 3000U}) {
    log.append(more);
    log.check_all();
  }
  for (std::uint64_t size = 1; size < 40; ++size) {
    for (std::uint64_t position = 0; position < size; ++position) log.check_inclusion(position, size);
    for (std::uint64_t first = 1; first <= size; ++first) log.check_consistency(first, size);
  }
  CHECK(log.reads == 0);
}

TEST_CASE("MerkleTree.TellsWhatIsWrongWithAQuestion") {
  TreeOfLeaves log(300);
  log.check_all();
  CHECK(log.tree->root(301).error().kind == ErrorKind::NotFound);
  CHECK(log.tree->inclusion(Position{0}, 301).error().kind == ErrorKind::NotFound);
  CHECK(log.tree->consistency(1, ~std::uint64_t{0}).error().kind == ErrorKind::NotFound);
  CHECK(log.tree->inclusion(Position{300}, 300).error().kind == ErrorKind::InvalidArgument);
  CHECK(log.tree->inclusion(Position{0}, 0).error().kind == ErrorKind::InvalidArgument);
  CHECK(log.tree->consistency(0, 300).error().kind == ErrorKind::InvalidArgument);
  CHECK(log.tree->consistency(3, 2).error().kind == ErrorKind::InvalidArgument);
  for (const auto& [level, index, width] :
       std::vector<std::tuple<unsigned, std::uint64_t, std::uint64_t>>{{0, 0, 0},
                                                                       {0, 0, 257},
                                                                       {0, 1, 45},
                                                                       {0, 2, 1},
                                                                       {1, 0, 2},
                                                                       {1, 1, 1},
                                                                       {2, 0, 1},
                                                                       {8, 0, 1},
                                                                       {63, 0, 1},
                                                                       {0, ~std::uint64_t{0}, 256},
                                                                       {0, ~std::uint64_t{0} / 256, 256}}) {
    CAPTURE(level);
    CAPTURE(index);
    CHECK(log.tree->tile(level, index, width).error().kind == ErrorKind::NotFound);
  }
  CHECK(log.tree->trouble().empty());
}

TEST_CASE("MerkleTree.WhatIsInTheFilesIsNotReadFromTheLog") {
  TreeOfLeaves log(kPastTwoLevels);
  log.check_all();
  log.open();
  log.check_all();
  CHECK(log.reads == 0);
  CHECK(log.tree->tile(2, 0, 1));
}

TEST_CASE("MerkleTree.WhatWasNotWrittenAnyMoreIsAllThatIsMadeAgain") {
  TreeOfLeaves log(kPastTwoLevels);
  log.check_all();
  log.tree.reset();
  log.cut(0, 64 + 32 * (kPastTwoLevels - 300) + 7);
  log.open();
  const std::uint64_t calls = log.disk.calls();
  CHECK(log.answer([&] { return log.tree->root(kPastTwoLevels); }) == log.frontier.root());
  CHECK(log.disk.calls() - calls < 100);  // not all of it was looked through
  CHECK(log.reads >= 300);
  CHECK(log.reads < 300 + 256);
  log.check_all();
}

TEST_CASE("MerkleTree.FilesThatAreMissingAreMadeAgain") {
  for (unsigned missing = 1; missing < 8; ++missing) {
    CAPTURE(missing);
    TreeOfLeaves log(kPastTwoLevels);
    log.check_all();
    log.tree.reset();
    for (unsigned level = 0; level < 3; ++level) {
      if ((missing >> level & 1U) != 0) REQUIRE(log.disk.remove(log.path(level)));
    }
    log.open();
    log.check_all();
    // Leaves are read from the log; what is above them is made of them.
    CHECK((log.reads >= kPastTwoLevels) == ((missing & 1U) != 0));
  }
}

TEST_CASE("MerkleTree.OnlyWhatIsDamagedIsMadeAgain") {
  TreeOfLeaves log(kPastTwoLevels);
  log.check_all();
  for (const bool while_open : {false, true}) {
    for (const auto& [level, hash] : std::vector<std::pair<unsigned, std::uint64_t>>{
             {0, 0}, {0, 255}, {0, 40'000}, {0, kPastTwoLevels - 1}, {1, 0}, {1, 130}, {1, 256}, {2, 0}}) {
      CAPTURE(while_open);
      CAPTURE(level);
      CAPTURE(hash);
      if (!while_open) log.tree.reset();
      log.flip(level, 64 + hash * 32 + 5);
      if (!while_open) log.open();
      log.reads = 0;
      log.check_all();
      log.check_inclusion(40'000, kPastTwoLevels);
      log.check_tile(0, 256);
      CHECK(log.answer([&] { return log.tree->tile(1, 0, 256); }).size() == 256);
      CHECK(log.answer([&] { return log.tree->tile(2, 0, 1); }).size() == 1);
      CHECK(log.reads <= 1024);
    }
  }
}

TEST_CASE("MerkleTree.FilesThatAreCutWhileTheyAreOpenAreMadeAgain") {
  for (const unsigned level : {0U, 1U, 2U}) {
    for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{64}, std::uint64_t{64 + 33}}) {
      CAPTURE(level);
      CAPTURE(length);
      TreeOfLeaves log(kPastTwoLevels);
      log.check_all();
      log.cut(level, length);
      log.check_all();
      log.open();
      log.check_all();
    }
  }
}

TEST_CASE("MerkleTree.FilesOfAnotherStoreOrWithADamagedHeaderAreReplaced") {
  TreeOfLeaves log(600);
  log.check_all();
  log.tree.reset();
  log.store_id = Uuid{{8}};
  log.open();
  log.check_all();
  CHECK(log.reads >= 600);
  for (const std::uint64_t offset : {0U, 8U, 12U, 16U, 40U, 63U}) {
    CAPTURE(offset);
    for (const unsigned level : {0U, 1U}) {
      log.tree.reset();
      log.flip(level, offset);
      log.open();
      log.check_all();
      log.open();
      log.check_all();
      CHECK(log.reads == 0);
    }
  }
}

TEST_CASE("MerkleTree.WhatDoesNotFitInMemoryIsReadFromTheLog") {
  TreeOfLeaves log(10);
  log.check_all();
  log.append(200'000);
  log.append(100'000);  // nobody has written anything meanwhile
  log.append(3);
  log.check_all();
  CHECK(log.reads > 0);
  const std::uint64_t reads = log.reads;
  log.append(1000);
  log.check_all();
  CHECK(log.reads == reads);
}

TEST_CASE("MerkleTree.ALogThatIsNotWhatItWasIsNeverHidden") {
  TreeOfLeaves log(600);
  log.check_all();
  log.tree.reset();
  for (const unsigned level : {0U, 1U}) REQUIRE(log.disk.remove(log.path(level)));
  log.changed = 300;
  log.open();
  for (int i = 0; i < 5; ++i) {
    const auto root = log.tree->root(600);
    REQUIRE(!root);
    CHECK(root.error().kind == ErrorKind::NotReady);
  }
  CHECK(log.tree->trouble().find("not those that its Merkle tree was made of") != std::string::npos);
  log.append(5);
  CHECK(!log.tree->inclusion(Position{0}, 605));
  CHECK(!log.tree->trouble().empty());
  CHECK(log.tree->progress().rebuilding);
}

TEST_CASE("MerkleTree.AFullDiskIsToldAndTriedAgain") {
  TreeOfLeaves log(300);
  log.check_all();
  log.disk.set_capacity(log.disk.used_bytes());
  log.append(1000);
  log.check_all();  // from memory
  CHECK(!log.tree->trouble().empty());
  CHECK(log.tree->progress().size == 300);
  log.disk.set_capacity(std::nullopt);
  log.check_all();
  CHECK(log.tree->progress().size == 1300);
  CHECK(log.tree->trouble().empty());
}

TEST_CASE("MerkleTree.NothingIsMadeOrOpenedInAFolderThatIsAnothersNow") {
  TreeOfLeaves log(300);
  log.check_all();
  const auto before = log.disk.live_contents(log.path(0));
  log.is_displaced = true;
  log.flip(0, 64);
  CHECK(!log.tree->inclusion(Position{0}, 300));
  CHECK(!log.tree->inclusion(Position{0}, 300));
  CHECK(log.tree->trouble().find("moved away") != std::string::npos);
  log.flip(0, 64);
  CHECK(log.disk.live_contents(log.path(0)) == before);
  log.store_id = Uuid{{8}};
  log.open();
  CHECK(!log.tree->inclusion(Position{0}, 300));
  CHECK(log.disk.live_contents(log.path(0)) == before);
  log.is_displaced = false;
  log.check_all();
}

TEST_CASE("MerkleTree.AFailedReadIsNotTakenForDamage") {
  TreeOfLeaves log(kPastTwoLevels);
  log.check_all();
  log.disk.fail_with_probability(SimulatedCall::Read, 1.0, SimulatedFailure::Io);
  const auto root = log.tree->root(kPastTwoLevels / 2);
  CHECK(!root);
  log.disk.stop_failing();
  log.check_all();
  CHECK(log.reads <= 1024);
  CHECK(log.tree->trouble().empty());
}

namespace {

/// The same with a tree that has a thread.
struct TreeInBackground {
  SimulatedFileSystem disk{1};
  test::ReadGate gate;
  test::GatedWrites gated{disk, gate, "/tiles"};
  Mutex mutex;
  std::vector<Digest> leaves;
  MerkleFrontier frontier;
  std::unique_ptr<MerkleTree> tree;

  explicit TreeInBackground(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) grow(i);
    tree = std::make_unique<MerkleTree>(options(1ULL << 40), frontier);
    tree->start();
  }
  ~TreeInBackground() { gate.open(); }
  [[nodiscard]] MerkleTreeOptions options(std::uint64_t rate) {
    return {.files = {.file_system = &gated, .folder = "/tiles", .store_id = Uuid{{7}}, .in_place = {}},
            .head = [this] { return head(); },
            .read_leaf = [this](Position position) -> Result<Digest> {
              const MutexLock lock(mutex);
              return leaves[position.value()];
            },
            .rebuild_bytes_per_second = rate};
  }
  [[nodiscard]] TreeHead head() {
    const MutexLock lock(mutex);
    return {frontier.size(), frontier.root()};
  }
  void grow(std::uint64_t number) {
    leaves.push_back(sha256({std::to_string(number)}));
    frontier.append(leaves.back());
  }
  void append(std::uint64_t count) {
    const MutexLock lock(mutex);
    const std::uint64_t first = leaves.size();
    for (std::uint64_t i = 0; i < count; ++i) grow(first + i);
    tree->append(Position{first}, std::span(leaves).subspan(first));
  }
  void check_proven(std::uint64_t position, std::uint64_t size) {
    const auto path = tree->inclusion(Position{position}, size);
    REQUIRE_MESSAGE(path, path.error().describe());
    const auto root = tree->root(size);
    REQUIRE_MESSAGE(root, root.error().describe());
    CHECK(verify_inclusion(leaves[position], position, size, *path, *root));
    const TreeHead now = head();
    const auto consistency = tree->consistency(size, now.size);
    REQUIRE_MESSAGE(consistency, consistency.error().describe());
    CHECK(verify_consistency(size, now.size, *consistency, *root, now.root));
  }
};

}  // namespace

TEST_CASE("MerkleTree.WhoAsksDoesNotWaitForAWriteThatHangs") {
  TreeInBackground log(kPastTwoLevels);
  REQUIRE(eventually([&] { return !log.tree->progress().rebuilding; }));
  log.gate.close();
  log.append(1);
  log.gate.await_waiting(1);
  for (const std::uint64_t more : {0U, 1U, 255U, 1U, 3000U, 30'000U}) {
    log.append(more);
    const std::uint64_t size = log.head().size;
    const auto whole = log.tree->root(size);
    REQUIRE(whole);
    CHECK(*whole == log.head().root);
    for (const std::uint64_t position : {std::uint64_t{0}, kPastTwoLevels - 1, kPastTwoLevels, size - 1}) {
      log.check_proven(position, size);
      log.check_proven(position, position + 1);
    }
    for (const std::uint64_t tile : {std::uint64_t{0}, kPastTwoLevels / 256, (size - 1) / 256}) {
      const std::uint64_t width = std::min<std::uint64_t>(256, size - tile * 256);
      const auto hashes = log.tree->tile(0, tile, width);
      REQUIRE(hashes);
      CHECK(std::equal(hashes->begin(), hashes->end(), log.leaves.begin() + static_cast<std::ptrdiff_t>(tile * 256)));
    }
    CHECK(log.tree->tile(1, 1, (size >> 8) - 256));
  }
  CHECK(log.tree->progress().size == kPastTwoLevels);
  // What each would have to hash anew is bounded.
  log.append(40'000);
  const auto refused = log.tree->root(1);
  REQUIRE(!refused);
  CHECK(refused.error().kind == ErrorKind::NotReady);
  log.gate.open();
  const std::uint64_t end = log.head().size;
  CHECK(eventually([&] { return log.tree->progress().size == end; }));
  log.check_proven(kPastTwoLevels + 20'000, end);
}

TEST_CASE("MerkleTree.WhatIsWrittenMeanwhileIsFound") {
  TreeInBackground log(300);
  REQUIRE(eventually([&] { return !log.tree->progress().rebuilding; }));
  for (int round = 0; round < 300; ++round) {
    log.append(2000);  // so many that the thread hurries
    const std::uint64_t size = log.head().size;
    for (const std::uint64_t back : {1U, 1000U, 2000U, 2200U}) log.check_proven(size - back, size);
  }
  CHECK(log.tree->trouble().empty());
  CHECK(!log.tree->progress().rebuilding);
}

TEST_CASE("MerkleTree.InTheBackgroundItCatchesUpByItself") {
  TreeInBackground log(10'000);
  for (int round = 0; round < 100; ++round) log.append(100);
  MerkleTree& tree = *log.tree;
  CHECK(eventually([&] { return !tree.progress().rebuilding && tree.progress().size == 20'000; }));
  const auto whole = tree.root(20'000);
  REQUIRE(whole);
  CHECK(*whole == log.head().root);
  log.check_proven(15'000, 20'000);
  tree.stop();

  // And is on the disk once it has ended.
  log.disk.crash();
  MerkleTreeOptions options = log.options(0);
  options.read_leaf = [](Position) -> Result<Digest> {
    return Error{.kind = ErrorKind::Io, .message = "is not to be read"};
  };
  MerkleTree again(std::move(options), log.frontier);
  const auto root = again.root(20'000);
  REQUIRE_MESSAGE(root, root.error().describe());
  CHECK(*root == log.head().root);
}

}  // namespace stele
