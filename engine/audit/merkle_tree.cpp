#include "engine/audit/merkle_tree.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "engine/audit/merkle_proof.h"
#include "engine/base/check.h"
#include "engine/base/memory_reserve.h"

namespace stele {

namespace {

constexpr std::size_t kRecentMax = 256U << 10;
/// Leaves that are not in the files yet are hashed anew by each who asks: with so many the thread is to write them
/// soon, and with so many nothing is answered, since it seems to hang.
constexpr std::uint64_t kHurryFrom = 1024;
constexpr std::uint64_t kAnsweredMax = 64U << 10;
constexpr std::uint64_t kPieceLeaves = 4096;
/// What is read of the log for a leaf, about: for the rate.
constexpr std::uint64_t kLeafCost = 256;
constexpr std::chrono::milliseconds kGather{100};
constexpr std::chrono::seconds kRetry{5};
constexpr int kTreeNice = 15;

/// Root over hashes of one level, a power of two of them, which is left as it is.
Digest root_over(std::vector<Digest> hashes) {
  for (std::size_t n = hashes.size(); n > 1; n /= 2) {
    for (std::size_t i = 0; i < n / 2; ++i) hashes[i] = merkle_node(hashes[2 * i], hashes[2 * i + 1]);
  }
  return hashes.front();
}

Error not_ready() {
  return Error{.kind = ErrorKind::NotReady, .message = "the hashes of the tree are being made again"};
}

Error beyond_end() { return Error{.kind = ErrorKind::NotFound, .message = "the tree is not that large"}; }

}  // namespace

MerkleTree::MerkleTree(MerkleTreeOptions options, MerkleFrontier known)
    : options_(std::move(options)),
      known_(std::move(known)),
      files_(options_.files),
      limiter_(options_.rebuild_bytes_per_second) {}

MerkleTree::~MerkleTree() { stop(); }

void MerkleTree::start() {
  if (options_.rebuild_bytes_per_second > 0) thread_ = std::thread([this] { run(); });
}

void MerkleTree::stop() {
  limiter_.stop();
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MerkleTree::append(Position first, std::span<const Digest> leaves) {
  bool was_empty = false;
  {
    const MutexLock lock(mutex_);
    was_empty = recent_.empty();
    if (was_empty) recent_first_ = first.value();
    // What does not fit is read from the log later.
    if (recent_first_ + recent_.size() != first.value() || recent_.size() + leaves.size() > kRecentMax) return;
    recent_.insert(recent_.end(), leaves.begin(), leaves.end());
  }
  if (was_empty) changed_.notify_all();
}

void MerkleTree::want_sync() {
  const MutexLock lock(mutex_);
  sync_wanted_ = true;
}

void MerkleTree::run() {
  prepare_thread_memory();
  (void)prctl(PR_SET_NAME, "merkle-tree", 0UL, 0UL, 0UL);
  (void)setpriority(PRIO_PROCESS, 0, kTreeNice);  // of this thread only, on Linux
  while (true) {
    Result<bool> worked = true;
    {
      const MutexLock writing(writing_);
      worked = work_once();
    }
    note(worked ? Status() : worked.error());
    MutexLock lock(mutex_);
    if (stop_) break;
    if (!worked) {
      changed_.wait_for(mutex_, kRetry);
    } else if (!*worked) {
      while (!stop_ && recent_.empty() && state_.load() != State::Doubtful && state_.load() != State::Behind) {
        changed_.wait(lock);
      }
      // So that a busy log costs few writes.
      if (!stop_) changed_.wait_for(mutex_, kGather);
    }
  }
  const MutexLock writing(writing_);
  if (state_.load() != State::Ready) return;
  Status done = write_recent();
  if (done) done = files_.sync();
  note(done);
}

Result<bool> MerkleTree::work_once() {
  switch (state_.load()) {
    case State::Doubtful:
      STELE_TRY(look_through());
      return true;
    case State::Behind:
      STELE_TRY(catch_up());
      return true;
    case State::Ready: {
      STELE_TRY(write_recent());
      bool syncs = false;
      {
        const MutexLock lock(mutex_);
        syncs = std::exchange(sync_wanted_, false);
      }
      if (syncs) STELE_TRY(files_.sync());
      return false;
    }
    case State::Refuted:
      break;
  }
  return false;
}

Status MerkleTree::look_through() {
  // Again after damage was found: the files may be others now.
  STELE_TRY(files_.open());
  if (!opened_) {
    opened_ = true;
    STELE_ASSIGN(const std::uint64_t there, files_.count(0));
    // What stands behind the position that is known may be from before a crash, and is made again.
    size_.store(there < known_.size() ? there / kTileWidth * kTileWidth : known_.size());
    bool is_whole = true;
    for (unsigned level = 1; level < kTileLevels && is_whole; ++level) {
      STELE_ASSIGN(const std::uint64_t count, files_.count(level));
      is_whole = count >= size_.load() >> (8 * level);
    }
    // Most likely right: then what was not written any more is all there is to do, and the root will tell.
    if (is_whole) {
      state_.store(State::Behind);
      return {};
    }
  }
  STELE_TRY(mend(size_.load()));
  is_mended_ = true;
  state_.store(State::Behind);
  return {};
}

Status MerkleTree::mend(std::uint64_t size) {
  for (unsigned level = 0; level + 1 < kTileLevels; ++level) {
    const std::uint64_t tiles = size >> (8 * (level + 1));
    STELE_ASSIGN(const std::uint64_t roots, files_.count(level + 1));
    for (std::uint64_t tile = 0; tile < tiles; ++tile) {
      if (!limiter_.take(kTileWidth * sizeof(Digest))) return Error{.kind = ErrorKind::Closed, .message = "stopped"};
      std::vector<Digest> hashes(kTileWidth);
      const Status read = files_.read(level, tile * kTileWidth, hashes);
      // The file was cut. Those above have been completed from the level below.
      const bool is_lost = !read && level == 0 && read.error().kind == ErrorKind::Corrupt;
      if (!read && !is_lost) return read.error();
      std::optional<Digest> above;
      if (tile < roots) STELE_TRY(files_.read(level + 1, tile, {&above.emplace(), 1}));
      if (!is_lost && above == root_over(hashes)) continue;
      if (level == 0 && (is_lost || above)) {
        STELE_ASSIGN(hashes, leaves_of_log(tile * kTileWidth, kTileWidth));
        STELE_TRY(files_.write(0, tile * kTileWidth, hashes));
      }
      const Digest root = root_over(std::move(hashes));
      if (above != root) STELE_TRY(files_.write(level + 1, tile, {&root, 1}));
    }
  }
  // Leaves behind the last full tile have nothing above them that tells.
  const std::uint64_t full = size / kTileWidth * kTileWidth;
  STELE_ASSIGN(const std::vector<Digest> rest, leaves_of_log(full, size - full));
  return files_.write(0, full, rest);
}

Result<std::vector<Digest>> MerkleTree::leaves_of_log(std::uint64_t first, std::uint64_t count) {
  std::vector<Digest> leaves;
  leaves.reserve(count);
  if (!limiter_.take(count * kLeafCost)) return Error{.kind = ErrorKind::Closed, .message = "stopped"};
  for (std::uint64_t i = 0; i < count; ++i) {
    STELE_ASSIGN(const Digest leaf, options_.read_leaf(Position{first + i}));
    leaves.push_back(leaf);
  }
  return leaves;
}

Status MerkleTree::catch_up() {
  const std::uint64_t size = size_.load();
  if (!known_is_checked_ && size >= known_.size()) {
    STELE_ASSIGN(known_is_checked_, check_root({known_.size(), known_.root()}));
    if (!known_is_checked_) return {};
  }
  const TreeHead head = options_.head();
  if (size >= head.size) {
    STELE_ASSIGN(const bool is_right, check_root(head));
    if (is_right) state_.store(State::Ready);
    return {};
  }
  std::uint64_t end = known_is_checked_ ? head.size : known_.size();
  {
    const MutexLock lock(mutex_);
    if (!recent_.empty() && recent_first_ > size) end = std::min(end, recent_first_);
    // What was dropped while there was no room for it is read from the log, and then there is room again.
    if (!recent_.empty() && recent_first_ + recent_.size() <= size) recent_.clear();
    if (!recent_.empty() && recent_first_ <= size && known_is_checked_) end = size;
  }
  if (end == size) return write_recent();
  STELE_ASSIGN(const std::vector<Digest> leaves, leaves_of_log(size, std::min(end - size, kPieceLeaves)));
  return write_leaves(leaves);
}

Result<bool> MerkleTree::check_root(const TreeHead& head) {
  const auto root = merkle_root(head.size, [this](unsigned level, std::uint64_t i) { return read_node(level, i); });
  if (!root && root.error().kind != ErrorKind::Corrupt) return root.error();
  if (root && *root == head.root) {
    is_mended_ = false;
    from_log_ = false;
    return true;
  }
  if (!is_mended_) {
    state_.store(State::Doubtful);
  } else if (!from_log_) {
    from_log_ = true;  // all that is there is another log's, or damaged as a whole
    size_.store(0);
  } else {
    state_.store(State::Refuted);
    return Error{.kind = ErrorKind::Corrupt,
                 .message = "the records of the log are not those that its Merkle tree was made of"};
  }
  return false;
}

Status MerkleTree::write_recent() {
  std::vector<Digest> leaves;
  const std::uint64_t size = size_.load();
  {
    const MutexLock lock(mutex_);
    if (recent_.empty()) return {};
    if (recent_first_ > size) {
      state_.store(State::Behind);
      return {};
    }
    const std::uint64_t known = std::min<std::uint64_t>(size - recent_first_, recent_.size());
    leaves.assign(recent_.begin() + static_cast<std::ptrdiff_t>(known), recent_.end());
  }
  STELE_TRY(write_leaves(leaves));
  const MutexLock lock(mutex_);
  const std::uint64_t written = std::min<std::uint64_t>(size_.load() - recent_first_, recent_.size());
  recent_.erase(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(written));
  recent_first_ += written;
  return {};
}

Status MerkleTree::write_leaves(std::span<const Digest> leaves) {
  std::uint64_t first = size_.load();
  const std::uint64_t end = first + leaves.size();
  std::vector<Digest> hashes(leaves.begin(), leaves.end());
  for (unsigned level = 0; level < kTileLevels && !hashes.empty(); ++level) {
    STELE_TRY(files_.write(level, first, hashes));
    std::vector<Digest> above;
    const std::uint64_t first_above = first / kTileWidth;
    for (std::uint64_t tile = first_above; tile < (first + hashes.size()) / kTileWidth; ++tile) {
      std::vector<Digest> whole(kTileWidth);
      const Status read = files_.read(level, tile * kTileWidth, whole);
      if (!read && read.error().kind == ErrorKind::Corrupt) state_.store(State::Doubtful);  // the file was cut
      STELE_TRY(read);
      above.push_back(root_over(std::move(whole)));
    }
    first = first_above;
    hashes = std::move(above);
  }
  size_.store(end);
  return {};
}

Result<TreeHead> MerkleTree::ready_head() {
  const auto ready = [&] { return state_.load() == State::Ready; };
  if (options_.rebuild_bytes_per_second == 0) {
    const MutexLock writing(writing_);
    for (Result<bool> more = true; more && *more;) {
      more = work_once();
      note(more ? Status() : more.error());
    }
  }
  if (!ready()) return not_ready();
  const TreeHead head = options_.head();
  std::uint64_t size = 0;
  std::uint64_t end = 0;  // of what is in the files or in memory
  {
    const MutexLock lock(mutex_);
    size = size_.load();
    end = recent_.empty() || recent_first_ > size ? size : std::max(size, recent_first_ + recent_.size());
  }
  if (end < head.size) {
    State expected = State::Ready;
    (void)state_.compare_exchange_strong(expected, State::Behind);
  }
  if (head.size > size + kHurryFrom || end < head.size) wake();
  if (head.size > size + kAnsweredMax || end < head.size) return not_ready();
  return head;
}

Status MerkleTree::read_hashes(unsigned level, std::uint64_t first, std::span<Digest> to) const {
  std::uint64_t written = 0;
  {
    const MutexLock lock(mutex_);  // what is taken from recent_ was written before
    written = size_.load() >> (8 * level);
    const std::uint64_t end = first + to.size();
    if (level == 0 && written < end) {
      const std::uint64_t from = std::max(first, written);
      if (from < recent_first_ || end > recent_first_ + recent_.size()) return not_ready();
      std::copy_n(recent_.begin() + static_cast<std::ptrdiff_t>(from - recent_first_), end - from,
                  to.last(end - from).begin());
    }
  }
  const std::uint64_t in_files = written > first ? std::min<std::uint64_t>(written - first, to.size()) : 0;
  if (in_files > 0) STELE_TRY(files_.read(level, first, to.first(in_files)));
  for (std::uint64_t i = in_files; level > 0 && i < to.size(); ++i) {
    std::vector<Digest> below(kTileWidth);
    STELE_TRY(read_hashes(level - 1, (first + i) * kTileWidth, below));
    to[i] = root_over(std::move(below));
  }
  return {};
}

Result<Digest> MerkleTree::read_node(unsigned level, std::uint64_t index) const {
  const unsigned within = level % 8;
  std::vector<Digest> hashes(std::size_t{1} << within);
  STELE_TRY(read_hashes(level / 8, index << within, hashes));
  return root_over(std::move(hashes));
}

Error MerkleTree::distrust() {
  State expected = State::Ready;
  if (state_.compare_exchange_strong(expected, State::Doubtful)) wake();
  return not_ready();
}

Status MerkleTree::verify_root(std::uint64_t size, const Digest& root, const TreeHead& head) {
  if (size == 0) return {};
  if (size == head.size) return root == head.root ? Status() : distrust();
  const auto path = consistency_path(size, head.size, [this](unsigned l, std::uint64_t i) { return read_node(l, i); });
  if (!path || !verify_consistency(size, head.size, *path, root, head.root)) return distrust();
  return {};
}

Result<Digest> MerkleTree::root(std::uint64_t size) {
  STELE_ASSIGN(const TreeHead head, ready_head());
  if (size > head.size) return beyond_end();
  const auto root = merkle_root(size, [this](unsigned l, std::uint64_t i) { return read_node(l, i); });
  if (!root) return distrust();
  STELE_TRY(verify_root(size, *root, head));
  return *root;
}

Result<std::vector<Digest>> MerkleTree::inclusion(Position position, std::uint64_t size) {
  STELE_ASSIGN(const TreeHead head, ready_head());
  if (size > head.size) return beyond_end();
  const ReadNode read = [this](unsigned l, std::uint64_t i) { return read_node(l, i); };
  auto path = inclusion_path(position.value(), size, read);
  if (!path && path.error().kind == ErrorKind::InvalidArgument) return path;
  const auto leaf = read_node(0, position.value());
  const auto root = merkle_root(size, read);
  if (!path || !leaf || !root || !verify_inclusion(*leaf, position.value(), size, *path, *root)) return distrust();
  STELE_TRY(verify_root(size, *root, head));
  return path;
}

Result<std::vector<Digest>> MerkleTree::consistency(std::uint64_t first, std::uint64_t second) {
  STELE_ASSIGN(const TreeHead head, ready_head());
  if (second > head.size) return beyond_end();
  const ReadNode read = [this](unsigned l, std::uint64_t i) { return read_node(l, i); };
  auto path = consistency_path(first, second, read);
  if (!path && path.error().kind == ErrorKind::InvalidArgument) return path;
  const auto first_root = merkle_root(first, read);
  const auto second_root = merkle_root(second, read);
  if (!path || !first_root || !second_root || !verify_consistency(first, second, *path, *first_root, *second_root)) {
    return distrust();
  }
  STELE_TRY(verify_root(second, *second_root, head));
  return path;
}

Result<std::vector<Digest>> MerkleTree::tile(unsigned level, std::uint64_t index, std::uint64_t width) {
  STELE_ASSIGN(const TreeHead head, ready_head());
  if (level >= kTileLevels || width == 0 || width > kTileWidth) return beyond_end();
  const std::uint64_t there = head.size >> (8 * level);
  if (index >= (there + kTileWidth - 1) / kTileWidth || index * kTileWidth + width > there) return beyond_end();
  std::vector<Digest> hashes(width);
  if (!read_hashes(level, index * kTileWidth, hashes)) return distrust();
  const ReadNode read = [this](unsigned l, std::uint64_t i) { return read_node(l, i); };
  // Each perfect subtree over some of them must stand in the tree; its root is there as a leaf is in the tree of roots.
  for (std::uint64_t at = 0; at < width;) {
    std::uint64_t n = std::uint64_t{1};
    while (at % (2 * n) == 0 && at + 2 * n <= width) n *= 2;
    const unsigned height = 8 * level + static_cast<unsigned>(std::countr_zero(n));
    const std::uint64_t node = (index * kTileWidth + at) / n;
    const auto begin = hashes.begin() + static_cast<std::ptrdiff_t>(at);
    const Digest root = root_over({begin, begin + static_cast<std::ptrdiff_t>(n)});
    const auto path = inclusion_path(node << height, head.size, read);
    if (!path || path->size() < height ||
        !verify_inclusion(root, node, ((head.size - 1) >> height) + 1, std::span(*path).subspan(height), head.root)) {
      return distrust();
    }
    at += n;
  }
  return hashes;
}

TreeProgress MerkleTree::progress() const {
  return {.size = size_.load(), .log_size = options_.head().size, .rebuilding = state_.load() != State::Ready};
}

std::string MerkleTree::trouble() const {
  const MutexLock lock(mutex_);
  return trouble_;
}

void MerkleTree::wake() {
  // The thread looks at the state with the mutex held, and so cannot miss what has changed before.
  { const MutexLock lock(mutex_); }
  changed_.notify_all();
}

void MerkleTree::note(const Status& status) {
  if (!status && status.error().kind == ErrorKind::Closed) return;
  if (status && state_.load() == State::Refuted) return;
  const MutexLock lock(mutex_);
  trouble_ = status ? std::string() : status.error().describe();
}

}  // namespace stele
