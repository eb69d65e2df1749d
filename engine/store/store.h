#pragma once
// The engine as its users see it: append, read, follow. This, and the headers it includes, is all that api/ needs.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/file_system.h"
#include "engine/base/histogram.h"
#include "engine/base/read_budget.h"
#include "engine/base/result.h"
#include "engine/commit/proposal.h"
#include "engine/index/query.h"
#include "engine/log/record.h"
#include "engine/recovery/report.h"

namespace stele {

/// What open() takes, so that who sets an option can say at once that it will be refused.
struct StoreBounds {
  static constexpr std::uint64_t kSegmentBytesMin = 64ULL << 10;
  static constexpr std::uint64_t kSegmentBytesMax = 4095ULL << 20;  ///< offsets in a segment have 32 bits
  static constexpr std::uint64_t kQueueProposalsMin = 1;
  static constexpr std::uint64_t kIndexPartRecordsMin = 1;
  static constexpr std::uint64_t kIndexPartRecordsMax = 1ULL << 22;
  static constexpr std::size_t kOriginBytesMax = kStringBytesMax;  ///< and at least 1
};

struct StoreOptions {
  std::string folder;
  bool create = true;  ///< make a store if the folder holds none; else that is NotFound, and nothing is made
  std::string origin = "stele";               ///< name of a new log, kept in its genesis record
  std::uint64_t segment_bytes = 256ULL << 20;  ///< size of a new segment file
  std::uint64_t queue_proposals_max = 8192;    ///< beyond either bound append() answers Busy
  std::uint64_t queue_bytes_max = 64ULL << 20;
  std::chrono::microseconds group_commit_delay{100};   ///< how long the committer may wait for company when many clients are busy
  /// A group of at least so many records is synced on a thread of its own while it is indexed and the next one is decided. For smaller
  /// ones two more wake-ups cost more than that gains.
  std::uint64_t overlap_records_min = 256;
  std::uint64_t index_part_records_max = 64ULL << 10;  ///< the newest part of the index is written as a run at this many records
  /// Rate at which index runs are merged and repaired in the background; 0 = no background threads, the committer does it.
  std::uint64_t compaction_bytes_per_second = 64ULL << 20;
  /// Rate at which the stored bytes are verified in the background; 0 = they are not.
  std::uint64_t scrub_bytes_per_second = 8ULL << 20;
  /// Rate at which the next segment is zero-filled in the background; 0 = no background thread, made when needed.
  std::uint64_t fill_bytes_per_second = 64ULL << 20;
  /// How often it is made sure that folder, lock file and active segment are still in their places; if one is not, nothing is
  /// appended any more. 0 = only when a segment is begun.
  std::chrono::milliseconds guard_interval{1000};
  /// Append with a system clock that jumped ahead by more than a day as well; else appends are refused until it is back.
  bool accept_clock_jumps = false;
  std::uint64_t condition_work_max = kConditionWorkMax;  ///< beyond: ConditionTooCostly
  FileSystem* file_system = nullptr;           ///< none = posix_file_system(); must outlive the store
  const Clock* clock = nullptr;                ///< none = system_clock(); must outlive the store
  /// Called now and then during open() while records are read again to make a missing index anew: how many so far, and how many
  /// there may be in all (0 = not known).
  std::function<void(std::uint64_t records, std::uint64_t expected)> on_replay;
};

struct StoreHealth {
  bool writable = true;
  std::string reason;                 ///< why not writable, empty if it is
  std::vector<std::string> warnings;  ///< clock jump, damaged segments, slow filler
  std::uint64_t groups = 0;           ///< synced since open
  std::uint64_t records_appended = 0; ///< since open
  std::uint64_t queue_proposals = 0;  ///< waiting now
  std::uint64_t unprepared_segments = 0;  ///< segments begun without zero-filling ahead
  std::uint64_t index_runs = 0;
  std::uint64_t scrub_passes = 0;  ///< how often everything sealed was verified since open
  std::uint64_t scrubbed_bytes = 0;
};

/// Numbers for whoever watches the store over time, beside those of StoreHealth. Durations in nanoseconds, everything since open.
struct StoreMetrics {
  HistogramCounts append_nanos;   ///< of each proposal that was queued, from append() to its callback
  HistogramCounts commit_nanos;   ///< of each group, from its write to its being readable
  HistogramCounts sync_nanos;     ///< of each group's fdatasync
  HistogramCounts group_records;  ///< records in each group
  bool poisoned = false;          ///< not writable until the process is restarted
  std::uint64_t log_bytes = 0;    ///< of the segments, without the room that the active one still has
  std::uint64_t log_segments = 0;
  std::uint64_t log_segments_damaged = 0;
  std::uint64_t index_bytes = 0;  ///< of the runs
  std::uint64_t index_runs_damaged = 0;
  std::uint64_t index_parts_waiting = 0;  ///< parts in memory that are to be written as runs
  bool index_compaction_due = false;  ///< runs are being merged, or wait for it
};

/// Head of the log.
struct LogHead {
  std::uint64_t size = 0;  ///< records = tree size; the last position is size - 1
  Timestamp last_time;
  Digest root;             ///< RFC 9162 tree hash over all `size` leaves
};

class ReadView;

/// Runs through the matches of a query in order. Lives at most as long as its view; one thread at a time.
class EventStream {
 public:
  virtual ~EventStream() = default;
  /// Reads the next match into `to`; false at the end, or once the budget is used up. Corrupt or Io if the stored bytes
  /// cannot be trusted or read.
  [[nodiscard]] virtual Result<bool> next(Record& to) = 0;
  /// After next() has given false: the last position that was examined, if the budget has ended it there. Whatever is
  /// left lies behind it, in the direction of the query.
  [[nodiscard]] virtual std::optional<Position> rest_behind() const = 0;
};

/// A consistent view of everything that was durable when it was taken. Cheap to take; keeps mapped segments alive while it lives.
/// All calls may run on any thread, and may block on a cold disk.
class ReadView {
 public:
  virtual ~ReadView() = default;
  /// One past the last readable position.
  [[nodiscard]] virtual Position end() const = 0;
  // Corrupt or Io from any of these: stored bytes or the index over them are damaged or cannot be read.
  /// NotFound for a position at or past end().
  [[nodiscard]] virtual Status read(Position position, Record& to) const = 0;
  [[nodiscard]] virtual Result<std::optional<Position>> find_event(const Uuid& event_id) const = 0;
  [[nodiscard]] virtual Result<std::optional<AggregateSummary>> aggregate(std::string_view aggregate_id) const = 0;
  // The budget (null = none) ends what may examine very much; it must outlive the stream.
  /// In byte order of the id; at most `limit`.
  [[nodiscard]] virtual Result<AggregateList> aggregates(const AggregateQuery& query, std::size_t limit,
                                                         ReadBudget* budget = nullptr) const = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<EventStream>> query(const EventQuery& query,
                                                                   ReadBudget* budget = nullptr) const = 0;
};

/// One open data folder. Thread-safe. One process at a time has a folder open.
class Store {
 public:
  /// Recovers the folder, or makes a log if there is none. Locked, Corrupt, Foreign or NewerFormat change nothing of the log.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(StoreOptions options);
  virtual ~Store() = default;

  /// Proposes a commit. The callback runs when everything the answer rests on is durable. See AppendCallback for its
  /// thread. May block on a cold disk.
  virtual void append(Proposal proposal, AppendCallback callback) = 0;
  /// The same, unless what must be looked up first is on the disk: then false, and nothing has happened. append() is to
  /// be called then, where waiting for a disk is allowed.
  [[nodiscard]] virtual bool append_at_once(Proposal& proposal, AppendCallback& callback) = 0;
  /// The final outcome of a decision. May read stored events to compare a repeat: call it on the proposer's side, not in the callback.
  [[nodiscard]] virtual AppendOutcome finish(const Decision& decision) const = 0;
  /// append() and finish() in one blocking call, for tools and tests.
  [[nodiscard]] AppendOutcome append_and_wait(Proposal proposal);

  [[nodiscard]] virtual std::shared_ptr<const ReadView> view() const = 0;
  /// A view of now that shows nothing from `end` on: for who goes on with what an earlier view has shown, without
  /// keeping that.
  [[nodiscard]] virtual std::shared_ptr<const ReadView> view_until(Position end) const = 0;
  /// The type of an aggregate, which never changes; none if there is no such aggregate. It may be one of the group that
  /// is being synced.
  [[nodiscard]] virtual Result<std::optional<AggregateType>> aggregate_type(std::string_view aggregate_id,
                                                                            DiskWait wait) const = 0;
  [[nodiscard]] virtual LogHead head() const = 0;
  /// Everything before this position is durable and readable. Never decreases.
  [[nodiscard]] virtual Position durable_end() const = 0;
  /// `listener` is called on the committer's thread after each step of durable_end(); it must return quickly. Register before traffic.
  virtual void on_durable(std::function<void(Position end)> listener) = 0;

  [[nodiscard]] virtual StoreHealth health() const = 0;
  [[nodiscard]] virtual StoreMetrics metrics() const = 0;
  [[nodiscard]] virtual const RecoveryReport& recovery() const = 0;
  [[nodiscard]] virtual const Uuid& store_id() const = 0;
  [[nodiscard]] virtual const std::string& origin() const = 0;

  /// Answers what is queued, then stops accepting; releases the folder. Idempotent. Views stay readable.
  [[nodiscard]] virtual Status close() = 0;
};

}  // namespace stele
