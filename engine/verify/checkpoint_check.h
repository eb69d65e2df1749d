#pragma once
// Compares signed checkpoints with the tree that is grown from the log's own leaves, and judges their signatures.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/audit/checkpoint_folder.h"
#include "engine/verify/finding.h"
#include "engine/verify/log_notices.h"
#include "engine/verify/tile_tree.h"

namespace stele {

/// One thread.
class CheckpointCheck {
 public:
  /// `kept`: those of the folder; `held`: one that came from outside.
  CheckpointCheck(std::vector<KeptCheckpoint> kept, const std::optional<SignedNote>& held, Checkpoint held_checkpoint);

  /// The leaf of the next position; `show` as TileTree::append() has it.
  template <class Show>
  void append(const Digest& leaf, Show&& show) {
    if (is_broken_) return;
    tree_.append(leaf, std::forward<Show>(show));
    if (tree_.size() >= next_size_) compare();
  }
  /// A leaf that is only said to be that of the next position: a root that agrees proves it, one that differs nothing.
  void suppose(const Digest& leaf) {
    is_supposed_ = true;
    append(leaf, [](unsigned, std::uint64_t, const Digest&) {});
  }
  /// Leaves that cannot be had: nothing is known of any tree behind them.
  void skip() { is_broken_ = true; }

  struct Ending {
    std::string origin;    ///< of the log; empty if it is not known
    Position end;          ///< of the log
    bool was_cut = false;  ///< what is missing at its end was here once
    const LogNotices& notices;
    std::size_t threads = 1;
  };
  struct Outcome {
    std::uint64_t checkpoints = 0;  ///< all of them
    std::uint64_t agreeing = 0;     ///< signed as they should be, and of this very tree
    std::uint64_t unjudged = 0;     ///< whose leaves are not all there
    std::uint64_t witnessed = 0;    ///< of those that agree
    /// Size of the greatest that agrees: everything before was signed.
    std::optional<std::uint64_t> proven;
  };
  /// Once, behind the last leaf.
  [[nodiscard]] Outcome finish(const Ending& ending, Findings& findings);

  [[nodiscard]] const TileTree& tree() const { return tree_; }
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  enum class Tree : std::uint8_t { NotReached, Agrees, Differs };
  struct Entry {
    KeptCheckpoint kept;
    bool is_held = false;
    Tree tree = Tree::NotReached;
    std::string complaint;    ///< why no valid key has signed it; empty if one has
    bool is_unknown = false;  ///< it is that nobody who is known has signed it
  };
  void compare();
  static void judge(Entry& entry, const Ending& ending);
  void judge_signatures(const Ending& ending);

  TileTree tree_;
  bool is_broken_ = false;
  bool is_supposed_ = false;    ///< some leaves since the last root that agreed
  std::vector<Entry> entries_;  // by size
  std::size_t compared_ = 0;
  std::uint64_t next_size_ = 0;
};

}  // namespace stele
