#pragma once
// The one thread that orders: takes proposals, lets the state machine decide them, has the group made durable,
// publishes it and only then releases the answers that rest on it. One group at most is unsynced; while it is being
// synced it is indexed (readers never pass the durable end) and the next one is decided.

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/histogram.h"
#include "engine/base/mutex.h"
#include "engine/commit/commit_machine.h"
#include "engine/commit/group_writer.h"
#include "engine/commit/sequencer.h"
#include "engine/log/log_writer.h"

namespace stele {

/// How appending goes. Any thread may read.
struct CommitMetrics {
  Histogram append_nanos{kDurationBounds};  ///< of each proposal, from being proposed to its answer
  Histogram commit_nanos{kDurationBounds};  ///< of each group, from its write to its being readable
  Histogram group_records{kCountBounds};    ///< of each group
};

/// Called on the committer's thread.
struct CommitterHooks {
  /// A new segment was begun, nothing has been written to it.
  std::function<void(const LogWriter::Rolled&)> rolled;
  /// `group` is complete and will stand at `places`, if it becomes durable: index it.
  std::function<void(const Group&, const RecordLocations& places)> index;
  /// `group` is durable and indexed: publish it. When this returns, readers may see it.
  std::function<void(const Group&, const LogWriter&)> durable;
  /// Whether the index has room for more records.
  std::function<bool()> has_index_room;
  /// Waits until it has; fails if it cannot get any.
  std::function<Status()> index_room;
};

class Committer {
 public:
  /// All references must outlive the committer. Smaller groups than `overlap_records_min` are written on its own
  /// thread.
  Committer(Sequencer& sequencer, CommitMachine& machine, LogWriter& writer, std::uint64_t overlap_records_min,
            CommitterHooks hooks);
  ~Committer();
  Committer(const Committer&) = delete;

  void start();
  /// Waits until the sequencer is closed and everything it gave out is answered.
  void join();

  /// Writes `group` as it stands; for the genesis record, before start().
  [[nodiscard]] Status write_group(Group& group);

  /// Seals this segment, if it is the one that is written to, and begins the next. Waits until that is done, for about
  /// as long as an append; any thread but the committer's own. DiskFull, Io: no room for another segment, and nothing
  /// was changed. Poisoned, Displaced, Closed.
  [[nodiscard]] Status seal(SegmentId segment);

  /// Ends all writing: readable, not writable, until the process is restarted. What is not answered yet has an unknown
  /// outcome. Any thread; of several reasons the first one stays.
  void poison(const Error& error);
  /// After poison(), which a failed write or sync calls too.
  [[nodiscard]] bool poisoned() const { return poisoned_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string poison_reason() const;
  [[nodiscard]] std::string roll_trouble() const;
  [[nodiscard]] std::uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t records() const { return records_.load(std::memory_order_relaxed); }
  [[nodiscard]] const CommitMetrics& metrics() const { return metrics_; }

 private:
  struct Decided {
    std::unique_ptr<PendingCommit> commit;
    AppendOutcome outcome;
    std::vector<std::optional<Position>> duplicates;
  };
  /// A group and the answers that rest on it.
  struct CommitGroup {
    Group group;
    std::vector<Decided> decided;
  };

  void run();
  [[nodiscard]] AppendOutcome decide(PendingCommit& commit, std::vector<std::optional<Position>>& duplicates);
  [[nodiscard]] std::optional<AppendOutcome> make_room(std::uint64_t bytes);
  /// Begins the next segment; nothing may be unsynced.
  [[nodiscard]] Status roll();
  /// Does what seal() waits for.
  void serve_seals();
  [[nodiscard]] Status seal_now(SegmentId segment);
  /// Hands over what has been decided so far; nothing may be unsynced.
  void begin();
  /// Waits for the unsynced group, if there is one, publishes it and answers.
  void finish();
  /// Until everything decided is answered.
  void flush();
  void index(Group& group, const RecordLocations& places);
  void publish(const Group& group);
  void settle(const Status& written);

  Sequencer& sequencer_;
  CommitMachine& machine_;
  LogWriter& writer_;
  const std::uint64_t overlap_records_min_;
  const CommitterHooks hooks_;
  CommitGroup growing_;
  CommitGroup unsynced_;
  bool syncing_ = false;                // unsynced_ is being written
  LogWriter::Room room_;                // behind unsynced_, while it is being written
  std::optional<Error> no_index_room_;  // for the group under way
  std::atomic<bool> poisoned_{false};
  std::atomic<std::uint64_t> groups_{0};
  std::atomic<std::uint64_t> records_{0};
  CommitMetrics metrics_;
  std::int64_t began_nanos_ = 0;  // of the write under way
  struct SealRequest {
    SegmentId segment;
    std::promise<Status> done;
  };
  Mutex seals_mutex_;
  std::vector<SealRequest> seals_ GUARDED_BY(seals_mutex_);
  bool ended_ GUARDED_BY(seals_mutex_) = true;  // nobody serves them
  mutable Mutex trouble_mutex_;
  std::string poison_reason_ GUARDED_BY(trouble_mutex_);
  std::string roll_trouble_ GUARDED_BY(trouble_mutex_);
  std::optional<GroupWriter> group_writer_;  // while the thread runs
  std::thread thread_;
};

}  // namespace stele
