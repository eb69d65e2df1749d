#pragma once
// What the store tells of itself to whoever looks after it.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/histogram.h"

namespace stele {

struct StoreHealth {
  bool writable = true;
  std::string reason;                     ///< why not writable, empty if it is
  std::vector<std::string> warnings;      ///< clock jump, damaged segments, slow filler
  std::uint64_t groups = 0;               ///< synced since open
  std::uint64_t records_appended = 0;     ///< since open
  std::uint64_t queue_proposals = 0;      ///< waiting now
  std::uint64_t unprepared_segments = 0;  ///< segments begun without zero-filling ahead
  std::uint64_t index_runs = 0;
  std::uint64_t scrub_passes = 0;  ///< how often everything sealed was verified since open
  std::uint64_t scrubbed_bytes = 0;
};

/// Numbers for whoever watches the store over time, beside those of StoreHealth. Durations in nanoseconds, everything
/// since open.
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
  bool index_compaction_due = false;      ///< runs are being merged, or wait for it
};

}  // namespace stele
