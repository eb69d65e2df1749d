#include "engine/store/store_options.h"

#include "engine/snapshots/snapshot_file.h"

namespace stele {

Status check_options(const StoreOptions& options) {
  const auto invalid = [](const char* what) { return Error{.kind = ErrorKind::InvalidArgument, .message = what}; };
  if (options.folder.empty()) return invalid("no data folder given");
  if (options.segment_bytes < StoreBounds::kSegmentBytesMin || options.segment_bytes > StoreBounds::kSegmentBytesMax) {
    return invalid("the segment size must be 64 KiB to 4095 MiB");
  }
  if (options.origin.empty() || options.origin.size() > StoreBounds::kOriginBytesMax) {
    return invalid("the origin must have 1 to 255 bytes");
  }
  if (options.queue_proposals_max < StoreBounds::kQueueProposalsMin) return invalid("the queue must take a proposal");
  if (options.index_part_records_max < StoreBounds::kIndexPartRecordsMin ||
      options.index_part_records_max > StoreBounds::kIndexPartRecordsMax) {
    return invalid("a part of the index must have 1 to 4,194,304 records");
  }
  if (options.snapshots.keep < 1 || options.snapshots.keep > kSnapshotKeepMax) {
    return invalid("1 to 16 snapshots are kept");
  }
  return {};
}

}  // namespace stele
