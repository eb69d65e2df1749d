#pragma once
// The whole index: runs in files, parts immutable memtables that wait to be written as runs, then the memtable. All in
// position order.

#include <memory>
#include <span>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/base/read_budget.h"
#include "engine/index/index_part.h"
#include "engine/index/index_run.h"
#include "engine/index/memtable.h"

namespace stele {

using RunList = std::vector<std::shared_ptr<const IndexRun>>;
using ImmutableMemtables = std::vector<std::shared_ptr<const Memtable>>;

/// The parts as they stood at one moment; cheap to copy. What is inserted later shows up in `newest`, so readers bound
/// what they see by a position of their own. Corrupt or Io: a run is damaged.
class IndexView {
 public:
  IndexView() = default;
  IndexView(RunList runs, ImmutableMemtables immutable, std::shared_ptr<const Memtable> newest)
      : runs_(std::move(runs)), immutable_(std::move(immutable)), newest_(std::move(newest)) {}

  [[nodiscard]] const RunList& runs() const { return runs_; }
  [[nodiscard]] const ImmutableMemtables& immutable() const { return immutable_; }
  [[nodiscard]] const Memtable& newest() const { return *newest_; }
  /// One past the last position of the immutable parts.
  [[nodiscard]] Position sealed_end() const { return newest_->first(); }

  /// Immutable parts, then the newest.
  [[nodiscard]] std::size_t part_count() const { return runs_.size() + immutable_.size() + 1; }
  [[nodiscard]] const IndexPart& part(std::size_t i) const;

  [[nodiscard]] Result<std::optional<Position>> find_event(const Uuid& event_id) const;
  [[nodiscard]] Result<std::optional<AggregateSummary>> aggregate(std::string_view id) const;
  [[nodiscard]] Result<std::optional<Position>> position_of(std::string_view id, SequenceNumber sequence) const;
  /// At most `limit`, or as many as are found before the budget (null = none) is used up.
  [[nodiscard]] Result<AggregateList> aggregates(const AggregateQuery& query, std::size_t limit,
                                                 ReadBudget* budget = nullptr) const;
  /// The first record whose time is at least `time` lies in [begin, end], or behind all records.
  [[nodiscard]] Result<IndexPart::TimeBounds> time_bounds(Timestamp time) const;

  // Immutable parts only.
  /// Asks the processor to fetch what find_sealed_event() and sealed_head() will look at first: each run's filters,
  /// which would otherwise be waited for one by one.
  void prefetch_sealed(const Uuid& event_id, std::string_view aggregate_id) const;
  [[nodiscard]] Result<std::optional<Position>> find_sealed_event(const Uuid& event_id,
                                                                  DiskWait wait = DiskWait::Allowed) const;
  [[nodiscard]] Result<std::optional<AggregateHead>> sealed_head(std::string_view id,
                                                                 DiskWait wait = DiskWait::Allowed) const;

 private:
  RunList runs_;
  ImmutableMemtables immutable_;
  std::shared_ptr<const Memtable> newest_;
};

/// The memtable at some moment and, from there, all that came after it: whoever looked up the immutable parts at
/// that moment finds everything since in memory, however long ago that was. Only the inserting thread may follow
/// `next`.
struct MemoryLink {
  std::shared_ptr<const Memtable> part;
  std::shared_ptr<const MemoryLink> next;
};

/// One thread inserts and makes memtables immutable; any thread takes views; the thread that keeps the runs replaces
/// parts.
class IndexSet {
 public:
  /// `runs` cover [0, first) without a gap. The memtable is full() at `part_records_max` records.
  IndexSet(RunList runs, Position first, std::uint64_t part_records_max);

  void insert(std::span<const RecordHeader> records, const RecordLocations& places);
  /// Of an aggregate that has records in a part that is no run yet. Inserting thread.
  [[nodiscard]] std::optional<SequenceNumber> last_sequence_in_memory(std::string_view id) const;
  [[nodiscard]] bool full() const { return newest_->part->size() >= part_records_max_; }
  /// The memtable becomes immutable, another one begins. Not when it is empty.
  void make_immutable(std::optional<ReplayPoint> replay);

  [[nodiscard]] std::shared_ptr<const IndexView> view() const;
  struct Snapshot {
    std::shared_ptr<const IndexView> view;
    std::shared_ptr<const MemoryLink> newest;  ///< of `view`
  };
  [[nodiscard]] Snapshot snapshot() const;

  /// The oldest immutable memtable is a run now.
  void flushed(std::shared_ptr<const IndexRun> run);
  /// Puts runs in the place of others that cover the same positions.
  void replace(std::span<const std::shared_ptr<const IndexRun>> old, RunList by);

 private:
  void publish(RunList runs, ImmutableMemtables immutable) REQUIRES(mutex_);

  const std::uint64_t part_records_max_;
  mutable Mutex mutex_;
  std::shared_ptr<Memtable> growing_;   // inserting thread only
  std::shared_ptr<MemoryLink> newest_;  // changed under mutex_ by the inserting thread
  std::shared_ptr<const IndexView> view_ GUARDED_BY(mutex_);
};

}  // namespace stele
