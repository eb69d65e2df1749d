#pragma once
// Opens the log of a data folder: finds the last whole group, refuses what was damaged, cuts what was never acknowledged, and makes sure
// that what it accepts is on the disk and not only in the page cache.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/file_system.h"
#include "engine/log/log_writer.h"
#include "engine/log/state_file.h"
#include "engine/recovery/report.h"

namespace stele {

struct RecoveredLog {
  Uuid store_id;
  SegmentList sealed;
  std::optional<ActiveSegment> tail;  ///< none: the last segment is sealed, or there is no segment yet
  SegmentId next_segment{1};    ///< the one to create when there is no tail
  LogEnd end;
  RecoveryReport report;
};

/// `visit` is called for every record in order; an error from it ends the recovery with that error. Nothing on disk is changed before the
/// whole log has been accepted; on return everything accepted is on stable storage and everything behind it is zero.
/// `known` is what the state file said, if anything.
[[nodiscard]] Result<RecoveredLog> recover_log(FileSystem& file_system, const std::string& log_folder,
                                               const std::optional<DurableState>& known,
                                               const std::function<Status(const Record&)>& visit);

}  // namespace stele
