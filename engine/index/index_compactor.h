#pragma once
// Keeps the index on disk: writes immutable memtables as runs, merges runs in tiers, and makes damaged runs again from
// the log. All of it in the background; appends wait only when immutable memtables pile up in memory. Nothing here is
// needed for durability.

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "engine/base/mutex.h"
#include "engine/index/index_set.h"
#include "engine/index/run_writer.h"
#include "engine/log/segment.h"

namespace stele {

struct IndexCompactorOptions {
  RunFiles files;
  std::uint64_t part_records_max;
  /// Rate at which merges and repairs write. 0 = no threads: work is done by whoever calls work().
  std::uint64_t compaction_bytes_per_second;
};

/// How many runs of the same size are merged into one.
inline constexpr std::size_t kCompactionFanout = 4;
/// As many parts may wait in memory to be written.
inline constexpr std::size_t kImmutableMemtablesMax = 4;

class IndexCompactor {
 public:
  using ReadRecord = std::function<Status(Position, Record&)>;
  /// `set` must outlive it. `read` reads a durable record of the log, from any thread.
  IndexCompactor(IndexCompactorOptions options, IndexSet& set, ReadRecord read);
  ~IndexCompactor();
  IndexCompactor(const IndexCompactor&) = delete;

  /// Begins to work in the background, if there is a rate.
  void start();
  /// There is work: a memtable became immutable. Without threads the work is done now.
  void work();
  /// Whether there is room for one more immutable memtable.
  [[nodiscard]] bool has_room() const { return set_.view()->immutable().size() < kImmutableMemtablesMax; }
  /// Waits until there is room for one more immutable memtable. Fails if there is none and the parts cannot be written:
  /// DiskFull or Io.
  [[nodiscard]] Status wait_for_room();
  /// Writes all immutable memtables and merges what is due, at full speed. Only while there are no threads; any caller.
  void work_off();
  /// Ends the threads; an unfinished merge is given up.
  void stop();

  /// True while wait_for_room() would fail.
  [[nodiscard]] bool is_stuck() const;
  /// True while runs are being merged, or wait for it.
  [[nodiscard]] bool compaction_due() const;
  /// Why parts cannot be written or runs not be merged or repaired, empty if nothing is wrong.
  [[nodiscard]] std::string trouble() const;

 private:
  enum class Task { Flush, Compact, Repair };
  /// Of one task: why it failed last, and when it may be tried again: later and later, because each try may write much.
  struct Attempt {
    std::optional<Error> trouble;
    std::chrono::steady_clock::time_point not_before{};
    std::chrono::seconds pause{1};
  };
  void run(Task task);
  [[nodiscard]] bool may_try(Task task) const;
  /// Does one piece of work; false if there is none, or it failed.
  [[nodiscard]] bool flush_one();
  [[nodiscard]] bool compact_one(RateLimiter& limiter);
  /// The runs to merge next; none if there is nothing to merge.
  [[nodiscard]] std::span<const std::shared_ptr<const IndexRun>> due(const RunList& runs) const;
  [[nodiscard]] bool repair_one(RateLimiter& limiter);
  void remove_files(std::span<const std::shared_ptr<const IndexRun>> runs);
  void note(Task task, const Status& status);
  [[nodiscard]] const Attempt& attempt(Task task) const REQUIRES(mutex_) {
    return attempts_[static_cast<std::size_t>(task)];
  }

  const IndexCompactorOptions options_;
  IndexSet& set_;
  const ReadRecord read_;
  Mutex work_off_mutex_;
  ImmutableMemtables written_;  // flushing thread only: parts that somebody else may still use
  RateLimiter flush_limiter_{0};
  RateLimiter compaction_limiter_;

  mutable Mutex mutex_;
  ConditionVariable changed_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::uint64_t rounds_ GUARDED_BY(mutex_) =
      0;  // of work(): a thread that went to sleep before sees that there is more
  std::array<Attempt, 3> attempts_ GUARDED_BY(mutex_);  // by Task
  std::vector<std::thread> threads_;
};

/// Makes runs of [first, end) from the log. `read` as above; `replay` is kept in the last run. On an error no file is
/// left.
[[nodiscard]] Result<RunList> rebuild_runs(const RunFiles& files, Position first, Position end,
                                           std::uint64_t part_records_max, const std::optional<ReplayPoint>& replay,
                                           const IndexCompactor::ReadRecord& read, RateLimiter* limiter);

}  // namespace stele
