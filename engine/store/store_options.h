#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/file_system.h"
#include "engine/base/result.h"
#include "engine/commit/proposal.h"
#include "engine/commit/sequencer.h"
#include "engine/log/record.h"
#include "engine/snapshots/snapshot_settings.h"

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
  bool create = true;            ///< make a store if the folder holds none; else that is NotFound, and nothing is made
  std::string origin = "stele";  ///< name of a new log, kept in its genesis record
  std::uint64_t segment_bytes = 256ULL << 20;  ///< size of a new segment file
  std::uint64_t queue_proposals_max = 8192;    ///< beyond either bound append() answers Busy
  std::uint64_t queue_bytes_max = 64ULL << 20;
  std::chrono::microseconds group_commit_delay{
      100};  ///< how long the committer may wait for company when many clients are busy
  /// A group of at least so many records is synced on a thread of its own while it is indexed and the next one is
  /// decided. For smaller ones two more wake-ups cost more than that gains.
  std::uint64_t overlap_records_min = 256;
  std::uint64_t index_part_records_max = 64ULL << 10;  ///< the memtable is written as a run at this many records
  /// Rate at which index runs are compacted and repaired in the background; 0 = no background threads, the committer
  /// does it.
  std::uint64_t compaction_bytes_per_second = 64ULL << 20;
  /// Rate at which the stored bytes are verified in the background; 0 = they are not.
  std::uint64_t scrub_bytes_per_second = 8ULL << 20;
  /// Rate at which the next segment is zero-filled in the background; 0 = no background thread, made when needed.
  std::uint64_t fill_bytes_per_second = 64ULL << 20;
  /// How often it is made sure that folder, lock file and active segment are still in their places; if one is not,
  /// nothing is appended any more. 0 = only when a segment is begun.
  std::chrono::milliseconds guard_interval{1000};
  /// Append with a system clock that jumped ahead by more than a day as well; else appends are refused until it is
  /// back.
  bool accept_clock_jumps = false;
  std::uint64_t condition_work_max = kConditionWorkMax;  ///< beyond: ConditionTooCostly
  SnapshotSettings snapshots;                            ///< of the store that Store::snapshots() gives
  /// Makes what orders proposals; none = a LocalSequencer with these options. Called once, by open().
  std::function<std::unique_ptr<Sequencer>(const LocalSequencerOptions&)> make_sequencer;
  FileSystem* file_system = nullptr;  ///< none = posix_file_system(); must outlive the store
  const Clock* clock = nullptr;       ///< none = system_clock(); must outlive the store
  /// Called now and then during open() while records are read again to make a missing index anew: how many so far, and
  /// how many there may be in all (0 = not known).
  std::function<void(std::uint64_t records, std::uint64_t expected)> on_replay;
};

/// InvalidArgument: what is wrong with them.
[[nodiscard]] Status check_options(const StoreOptions& options);

}  // namespace stele
