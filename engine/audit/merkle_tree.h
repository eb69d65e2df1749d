#pragma once
// The Merkle tree of the log, to be asked: proofs, roots, tiles. The committer tells it of leaves and never waits for
// it; a thread of its own writes them to tile files, and makes again from the log what is missing or damaged there.
// Who asks waits for reads of these files only: what is not in them yet is in memory.
//
// Whatever it answers was checked against the root that the log itself vouches for (TreeHead): tiles are never trusted.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/audit/tile_files.h"
#include "engine/base/mutex.h"
#include "engine/base/rate_limiter.h"
#include "engine/base/result.h"

namespace stele {

/// Size and root that are known to be right.
struct TreeHead {
  std::uint64_t size = 0;
  Digest root{};
};

struct MerkleTreeOptions {
  TileFilesOptions files;
  /// Of the durable log. Any thread.
  std::function<TreeHead()> head;
  /// Computes the leaf at a durable position anew, from the record. Any thread; may wait for a disk.
  std::function<Result<Digest>(Position)> read_leaf;
  std::uint64_t rebuild_bytes_per_second = 0;  ///< of what is read again; 0 = no thread: whoever asks does the work
};

struct TreeProgress {
  std::uint64_t size = 0;      ///< leaves whose tiles are there
  std::uint64_t log_size = 0;  ///< leaves that there are
  bool rebuilding = false;     ///< proofs have to wait for that
};

/// Thread-safe, except append().
class MerkleTree {
 public:
  /// `known`: the right edge at some position of the log, which the tiles that are there are measured by.
  MerkleTree(MerkleTreeOptions options, MerkleFrontier known);
  ~MerkleTree();
  MerkleTree(const MerkleTree&) = delete;

  /// Begins to work in the background, if there is a rate.
  void start();
  /// Nothing is written any more. Idempotent.
  void stop();
  /// The next leaves, durable by now: those from `first` on. The committer's thread; never waits for a disk.
  void append(Position first, std::span<const Digest> leaves);
  /// Everything so far had better be on the disk soon.
  void want_sync();

  // Of all of these: NotReady while tiles are missing or being made again; NotFound beyond the end of the log. May wait
  // for a disk.
  [[nodiscard]] Result<Digest> root(std::uint64_t size);
  /// InvalidArgument unless position < size.
  [[nodiscard]] Result<std::vector<Digest>> inclusion(Position position, std::uint64_t size);
  /// InvalidArgument unless 0 < first <= second.
  [[nodiscard]] Result<std::vector<Digest>> consistency(std::uint64_t first, std::uint64_t second);
  /// The first `width` hashes of tile `index` of a level of 256-ary tiles; width 1 to 256.
  [[nodiscard]] Result<std::vector<Digest>> tile(unsigned level, std::uint64_t index, std::uint64_t width);

  [[nodiscard]] TreeProgress progress() const;
  /// Why tiles cannot be written, or that the log is not what it was; empty if all is well.
  [[nodiscard]] std::string trouble() const;

 private:
  enum class State : std::uint8_t {
    Doubtful,  ///< what is in the files is to be looked through
    Behind,    ///< right as far as it goes; more is to be read from the log
    Ready,     ///< whatever is missing waits in memory
    Refuted,   ///< the log does not have the leaves that its head was made of
  };

  void run();
  /// One piece of work; false if there is none. With the right to write.
  [[nodiscard]] Result<bool> work_once() REQUIRES(writing_);
  [[nodiscard]] Status look_through() REQUIRES(writing_);
  /// Makes those tiles of the first `size` leaves again that do not fit the level above. Closed: stopped.
  [[nodiscard]] Status mend(std::uint64_t size) REQUIRES(writing_);
  [[nodiscard]] Status catch_up() REQUIRES(writing_);
  [[nodiscard]] Result<std::vector<Digest>> leaves_of_log(std::uint64_t first, std::uint64_t count);
  /// Whether the tiles have the root that the log had at that size. If not, they are mended, then begun anew, and then
  /// the log is refuted (Corrupt).
  [[nodiscard]] Result<bool> check_root(const TreeHead& head) REQUIRES(writing_);
  [[nodiscard]] Status write_recent() REQUIRES(writing_);
  /// Leaves behind size_, and the tiles above that they fill.
  [[nodiscard]] Status write_leaves(std::span<const Digest> leaves) REQUIRES(writing_);
  /// NotReady unless all up to the head is in the files or in memory. Without a thread it is brought there; with one,
  /// nobody who asks waits for a write.
  [[nodiscard]] Result<TreeHead> ready_head();
  /// Of one level of tiles: from the files, behind them from what waits to be written.
  [[nodiscard]] Status read_hashes(unsigned level, std::uint64_t first, std::span<Digest> to) const;
  [[nodiscard]] Result<Digest> read_node(unsigned level, std::uint64_t index) const;
  [[nodiscard]] Status verify_root(std::uint64_t size, const Digest& root, const TreeHead& head);
  /// What was read is not what the log vouches for.
  [[nodiscard]] Error distrust();
  void note(const Status& status);
  void wake();

  const MerkleTreeOptions options_;
  const MerkleFrontier known_;
  TileFiles files_;
  RateLimiter limiter_;

  mutable Mutex writing_;  // held by whoever writes tiles; never by who asks, unless there is no thread
  bool opened_ GUARDED_BY(writing_) = false;
  bool known_is_checked_ GUARDED_BY(writing_) = false;
  bool is_mended_ GUARDED_BY(writing_) = false;  // and the root was not right since
  bool from_log_ GUARDED_BY(writing_) = false;   // begun anew, and the root was not right since

  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::vector<Digest> recent_ GUARDED_BY(mutex_);      // leaves that wait to be written
  std::uint64_t recent_first_ GUARDED_BY(mutex_) = 0;  // position of the first
  std::string trouble_ GUARDED_BY(mutex_);
  bool stop_ GUARDED_BY(mutex_) = false;
  bool sync_wanted_ GUARDED_BY(mutex_) = false;
  std::atomic<State> state_{State::Doubtful};
  std::atomic<std::uint64_t> size_{0};
  std::thread thread_;
};

}  // namespace stele
