#pragma once
// Opens the log of a data folder: finds the last whole group, refuses what was damaged, cuts what was never
// acknowledged, and makes sure that what it accepts is on the disk and not only in the page cache.

#include <memory>
#include <optional>
#include <string>

#include "engine/base/file_system.h"
#include "engine/log/log_writer.h"
#include "engine/log/state_file.h"
#include "engine/recovery/report.h"
#include "engine/recovery/segment_scan.h"

namespace stele {

struct RecoveredLog {
  Uuid store_id;
  SegmentList sealed;
  std::optional<ActiveSegment> tail;  ///< none: the last segment is sealed, or there is no segment yet
  SegmentId next_segment{1};          ///< the one to create when there is no tail
  LogEnd end;
  RecoveryReport report;
};

/// What is known before the log is read.
struct KnownOfLog {
  std::optional<DurableState> state;  ///< what the state file said
  Position durable_end;               ///< everything before it was durable once: the log must reach that far
  /// Everything before this point was read and indexed earlier. Segments before its segment are not scanned (the
  /// scrubber does that), and of this one only what lies behind. It must fit: see log_fits().
  std::optional<LogPoint> replay_from;
  /// Offsets of the records before `replay_from` in its segment, beginning with the one at `offsets_first`.
  Position offsets_first;
  std::vector<std::uint32_t> offsets;
};

enum class LogAccess {
  Repair,      ///< what is accepted is made durable, what was cut is zeroed
  ReadOnly,    ///< decided the same, but nothing is written or locked; what would be cut is left out
  BesideOwner  ///< the same beside another process that appends: nothing behind KnownOfLog::state, which must be there
};

/// The visitor is shown every record behind `replay_from`. Nothing in the log folder is changed before the whole log
/// has been accepted; on return everything accepted is on stable storage and everything behind it is zero. Without
/// Repair it is never changed, the file of `tail` is only for reading and its `file_bytes` end with the last group.
[[nodiscard]] Result<RecoveredLog> recover_log(FileSystem& file_system, const std::string& log_folder,
                                               const KnownOfLog& known, LogVisitor& visitor,
                                               LogAccess access = LogAccess::Repair);

/// True if the log holds the group that ends at `point` as it was when the point was taken.
[[nodiscard]] Result<bool> log_fits(FileSystem& file_system, const std::string& log_folder, const LogPoint& point);

/// The store that the first segment belongs to; none without segments or with a damaged first one.
[[nodiscard]] Result<std::optional<Uuid>> store_of_log(FileSystem& file_system, const std::string& log_folder);

}  // namespace stele
