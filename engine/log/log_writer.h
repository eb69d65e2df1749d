#pragma once
// The writing end of the log: appends groups to the active segment, one write and one fdatasync each, and rolls to the
// next.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/histogram.h"
#include "engine/log/frame.h"
#include "engine/log/offset_table.h"
#include "engine/log/segment.h"
#include "engine/log/segment_preallocator.h"

namespace stele {

/// Where the log ends and how its chain continues.
struct LogEnd {
  Position next;
  GroupNumber last_group;
  std::uint64_t last_link = 0;
  Timestamp last_time;
};

/// A place behind a group from where the log can be read on without anything before it.
struct LogPoint {
  LogEnd end;
  SegmentId segment;
  ByteOffset last_group;  ///< where the last group's frame begins
  ByteOffset offset;      ///< where the next frame begins
};

/// The active segment as it was recovered.
struct ActiveSegment {
  std::unique_ptr<File> file;
  SegmentId id;
  Position first;
  Timestamp first_time;
  ByteOffset end;
  ByteOffset last_group;
  std::uint64_t file_bytes = 0;
  std::shared_ptr<OffsetTable> offsets;
};

/// One thread at a time. After an error of append(), or one of roll() that says poisoned(), the log on disk is unknown:
/// use it no more. Nothing is written or renamed once the guard, if there is one, has found the folder displaced.
class LogWriter {
 public:
  LogWriter(PreallocatorOptions options, LogEnd end, SegmentId next_segment);

  /// Takes over the active segment; without it the first group makes one.
  [[nodiscard]] Result<std::shared_ptr<const Segment>> resume(ActiveSegment active);

  /// What of the active segment is used.
  struct Room {
    std::uint64_t end = 0;
    std::uint64_t records = 0;
    std::uint64_t file_bytes = 0;  ///< 0: there is no active segment

    /// True if a group frame of `bytes` fits, and the footer behind it.
    [[nodiscard]] bool fits(std::uint64_t bytes) const;
    [[nodiscard]] Room behind(std::uint64_t frame_bytes, std::uint64_t frame_records) const {
      return Room{end + frame_bytes, records + frame_records, file_bytes};
    }
  };
  [[nodiscard]] Room room() const;
  /// Largest group frame that any segment takes.
  [[nodiscard]] std::uint64_t group_bytes_max() const;

  /// Seals the active segment, if there is one, and begins the next. An error before anything was changed (no space, no
  /// memory for a mapping) leaves everything as it was; poisoned() tells whether that is so.
  struct Rolled {
    std::shared_ptr<const Segment> sealed;  ///< may be null
    std::shared_ptr<const Segment> active;
  };
  /// `fill`: if no segment was made ahead, zero-fill the new one before it is used (slow; for the first of a new log).
  [[nodiscard]] Result<Rolled> roll(bool fill = false);

  /// Writes and syncs one group. `frame` begins with kFrameBytes of room, then `record_offsets.size()` records whose
  /// offsets count from the frame's begin. On return the group is durable.
  [[nodiscard]] Status append(std::string& frame, std::span<const std::uint32_t> record_offsets, Timestamp first_time,
                              Timestamp last_time);

  [[nodiscard]] bool poisoned() const { return poisoned_; }
  [[nodiscard]] const LogEnd& end() const { return end_; }
  /// Behind the last group; only once there is one in the active segment.
  [[nodiscard]] LogPoint point() const {
    STELE_CHECK(active_);
    return LogPoint{end_, active_->id, active_->last_group, active_->end};
  }
  [[nodiscard]] SegmentId active_segment() const { return active_ ? active_->id : SegmentId{}; }
  [[nodiscard]] ByteOffset active_offset() const { return active_ ? active_->end : ByteOffset{}; }
  [[nodiscard]] const SegmentPreallocator& preallocator() const { return preallocator_; }
  /// Nanoseconds that the syncs of groups took; any thread.
  [[nodiscard]] const Histogram& sync_nanos() const { return sync_nanos_; }
  /// Nothing of the folder is changed afterwards.
  [[nodiscard]] Status close();

 private:
  /// Not earlier: a small log should not take two segments of disk.
  void want_next_when_half_full();
  /// What sealing the active segment takes, got before anything is changed.
  struct Seal {
    std::string footer;
    std::unique_ptr<Mapping> mapping;  ///< of the whole sealed segment
  };
  [[nodiscard]] Result<Seal> prepare_seal() const;
  [[nodiscard]] Result<std::shared_ptr<const Segment>> seal(Seal prepared);
  [[nodiscard]] Result<std::shared_ptr<const Segment>> activate(ActiveSegment active, std::unique_ptr<Mapping> mapping);
  /// Displaced if the active segment is no file of the folder any more, was cut off, or does not have the group that
  /// was just written there and the one before it, of which somebody may have written over either.
  [[nodiscard]] Status check_active(std::string_view head) const;
  [[nodiscard]] Status check_last() const;
  [[nodiscard]] Status check_written(ByteOffset at, std::string_view head) const;

  const PreallocatorOptions options_;
  SegmentPreallocator preallocator_;
  LogEnd end_;
  SegmentId next_segment_;
  std::optional<ActiveSegment> active_;
  std::string last_head_;  // of the last group in the active segment: the bytes of its frame's head; empty: none
  bool next_is_wanted_ = false;
  bool poisoned_ = false;
  Histogram sync_nanos_{kDurationBounds};
};

}  // namespace stele
