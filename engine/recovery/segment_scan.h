#pragma once
// Walks the groups of one segment file from its header to the first byte that does not continue the chain.

#include <functional>
#include <memory>
#include <vector>

#include "engine/log/frame.h"
#include "engine/log/log_writer.h"
#include "engine/log/record.h"
#include "engine/recovery/window_reader.h"

namespace stele {

struct SegmentScan {
  ByteOffset end;                 ///< behind the last whole, chained group
  bool sealed = false;            ///< a whole footer that agrees stands at `end`
  ByteOffset footer_end;          ///< if sealed: behind its trailer
  ByteOffset offset_table;        ///< if sealed: where its table begins
  Timestamp first_time;           ///< of the first record
  std::shared_ptr<OffsetTable> offsets;
};

/// `chain` is the end of the log so far; it moves to behind the last group. Corrupt if a frame whose checksum holds has impossible content.
[[nodiscard]] Result<SegmentScan> scan_segment(WindowReader& in, const SegmentHeader& header, LogEnd& chain,
                                               const std::function<Status(const Record&)>& visit);

/// What stands behind the end of a scan, as TailFlags, and how far it reaches.
struct TailObservation {
  std::uint32_t flags = 0;
  ByteOffset bytes_end;  ///< behind the last byte that is not zero; equals the scan's end if there is none
};
[[nodiscard]] Result<TailObservation> observe_tail(WindowReader& in, const SegmentHeader& header, const SegmentScan& scan,
                                                   const LogEnd& chain);

}  // namespace stele
