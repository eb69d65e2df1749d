#pragma once
// Walks the groups of one segment file from its header to the first byte that does not continue the chain.

#include <memory>
#include <vector>

#include "engine/log/frame.h"
#include "engine/log/log_writer.h"
#include "engine/log/record.h"
#include "engine/recovery/window_reader.h"

namespace stele {

/// Is shown what recovery reads, in order. An error ends the recovery with that error.
class LogVisitor {
 public:
  virtual ~LogVisitor() = default;
  virtual Status record(const Record& record, SegmentId segment, ByteOffset offset) = 0;
  /// Behind each group. `durable`: it is known to be on stable storage; otherwise it may stand in the page cache alone
  /// until recovery has written and synced the tail, and nothing durable may be made of it before.
  virtual Status group(const LogPoint& point, bool durable) = 0;
};

struct SegmentScan {
  ByteOffset last_group;    ///< where the last group begins
  ByteOffset end;           ///< behind the last whole, chained group
  bool sealed = false;      ///< a whole footer that agrees stands at `end`
  ByteOffset footer_end;    ///< if sealed: behind its trailer
  ByteOffset offset_table;  ///< if sealed: where its table begins
  Timestamp first_time;     ///< of the first record
  std::shared_ptr<OffsetTable> offsets;
};

/// From where a segment is scanned: behind a group that is known to be good, with the offsets of all records before it.
struct ScanStart {
  LogPoint point;
  std::vector<std::uint32_t> offsets;
};

/// `chain` is the end of the log so far; it moves to behind the last group. Without `start` the scan begins at the
/// first group. Corrupt if a frame whose checksum holds has impossible content.
[[nodiscard]] Result<SegmentScan> scan_segment(WindowReader& in, const SegmentHeader& header, LogEnd& chain,
                                               const ScanStart* start, LogVisitor& visitor);

/// What the footer of a sealed segment says, taken from the end of the file without reading its groups; none if there
/// is no footer that fits `chain`. Moves `chain` to behind the segment.
struct SealedEnd {
  ByteOffset footer_end;
  ByteOffset offset_table;
};
[[nodiscard]] Result<std::optional<SealedEnd>> read_sealed_end(WindowReader& in, const SegmentHeader& header,
                                                               LogEnd& chain);

/// The frame at `offset` if a whole one of this segment stands there, with a checksum that holds. Its bytes are in the
/// window of `in` then.
[[nodiscard]] Result<std::optional<FrameHeader>> whole_frame(WindowReader& in, const SegmentHeader& segment,
                                                             std::uint64_t offset);

/// The end of the log before this segment, whose first record is `first`, as far as the segment itself tells: what the
/// first group says of the one before it is taken from itself. Corrupt if it does not begin with a group.
[[nodiscard]] Result<LogEnd> chain_before(WindowReader& in, const SegmentHeader& segment, Position first);

/// Where a scan begins in a sealed segment, whose first record is `first`, to go on behind the group that `point`
/// names. It is found by the footer and by what the group behind it says, not by the offsets of the point: if the
/// segment was written anew, they have moved.
struct SealedStart {
  bool sealed = false;             ///< a whole footer stands at the end of the file; otherwise nothing is known
  std::optional<ScanStart> start;  ///< none: the log does not go on there as the point says
};
[[nodiscard]] Result<SealedStart> find_sealed_start(WindowReader& in, const SegmentHeader& segment, Position first,
                                                    const LogPoint& point);

/// True if the group that ends at `point` stands in this segment, which is not sealed or not trimmed, as it stood when
/// the point was taken.
[[nodiscard]] Result<bool> point_fits(WindowReader& in, const SegmentHeader& header, const LogPoint& point);

/// The frame at `offset`, which lies in the file, if a whole one with a good checksum stands there.
[[nodiscard]] Result<std::optional<FrameHeader>> whole_frame(WindowReader& in, const SegmentHeader& segment,
                                                             std::uint64_t offset);
/// Where the first whole group with a number beyond `number` stands that begins in [from, to).
[[nodiscard]] Result<std::optional<ByteOffset>> find_group_beyond(WindowReader& in, const SegmentHeader& segment,
                                                                  GroupNumber number, std::uint64_t from,
                                                                  std::uint64_t to);

/// What stands behind the end of a scan, as TailFlags, and how far it reaches.
struct TailObservation {
  std::uint32_t flags = 0;
  ByteOffset bytes_end;  ///< behind the last byte that is not zero; equals the scan's end if there is none
};
[[nodiscard]] Result<TailObservation> observe_tail(WindowReader& in, const SegmentHeader& header,
                                                   const SegmentScan& scan, const LogEnd& chain);

}  // namespace stele
