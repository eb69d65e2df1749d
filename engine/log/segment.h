#pragma once
// A segment for reading: a mapped file and the offsets of its records.

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/ids.h"
#include "engine/base/mutex.h"
#include "engine/log/offset_table.h"
#include "engine/log/record.h"

namespace stele {

/// Thread-safe. Readers of the active segment must ask only for positions below the durable end.
class Segment {
 public:
  /// The active segment: its whole file is mapped, `offsets` still grows.
  Segment(SegmentId id, Position first, std::string path, std::unique_ptr<Mapping> mapping,
          std::shared_ptr<const OffsetTable> offsets)
      : id_(id), first_(first), path_(std::move(path)), mapping_(std::move(mapping)), offsets_(std::move(offsets)) {}
  /// A sealed segment: offsets are read from the footer's table, which begins at `table`.
  Segment(SegmentId id, Position first, std::string path, std::unique_ptr<Mapping> mapping, ByteOffset table)
      : id_(id), first_(first), path_(std::move(path)), mapping_(std::move(mapping)), table_(table) {}

  [[nodiscard]] SegmentId id() const { return id_; }
  [[nodiscard]] Position first() const { return first_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Of the file; of the active segment, its whole room.
  [[nodiscard]] std::uint64_t file_bytes() const { return mapping_->size(); }

  /// Copies the record out of the mapping, checks bounds, checksum and position, and decodes it. A failure also marks
  /// the segment.
  [[nodiscard]] Status read(Position position, Record& to) const;
  /// A hint that the record will be read soon: starts to load its first bytes from memory, if they are there.
  void prefetch(Position position) const;
  /// The same of the entry that tells where the record is: prefetch() and read() wait for it.
  void prefetch_offset(Position position) const;
  /// Begin to read the record from the disk, or the entry that tells where it is, if they are not in memory.
  /// read_ahead() waits for the entry.
  void read_ahead(Position position) const;
  void read_offset_ahead(Position position) const;
  /// True once a read has failed, or the scrubber has found damage.
  [[nodiscard]] bool damaged() const { return damaged_.load(std::memory_order_acquire); }
  /// What was found first, empty if nothing.
  [[nodiscard]] std::string damage() const;
  void mark_damaged(const Error& error) const;
  /// True once its file was written anew under the same name: whoever reads for long should go on with the newer one.
  [[nodiscard]] bool replaced() const { return replaced_.load(std::memory_order_acquire); }
  void mark_replaced() const { replaced_.store(true, std::memory_order_release); }

 private:
  [[nodiscard]] Result<std::uint32_t> offset_of(Position position) const;
  [[nodiscard]] Status read_unmarked(Position position, Record& to) const;

  const SegmentId id_;
  const Position first_;
  const std::string path_;
  const std::unique_ptr<Mapping> mapping_;
  const std::shared_ptr<const OffsetTable> offsets_;  // active only
  const ByteOffset table_;                            // sealed only
  mutable std::atomic<bool> damaged_{false};
  mutable std::atomic<bool> replaced_{false};
  mutable Mutex damage_mutex_;
  mutable std::string damage_ GUARDED_BY(damage_mutex_);
};

/// Segments in position order.
using SegmentList = std::vector<std::shared_ptr<const Segment>>;

/// Reads from the segment that holds `position`, which must lie below the durable end.
[[nodiscard]] Status read_record(const SegmentList& segments, Position position, Record& to);

/// As the functions of Segment, of a position that could be read.
void prefetch_record(const SegmentList& segments, Position position);
void prefetch_offset(const SegmentList& segments, Position position);
/// Begins to read all these records from the disk at once, where they are not in memory.
void read_ahead(const SegmentList& segments, std::span<const Position> positions);

/// First position in [begin, end) whose record's time is at least `time`; `end` if none is. Times never decrease in log
/// order, so this is a binary search over the records themselves.
[[nodiscard]] Result<Position> first_at_or_after(const SegmentList& segments, Position begin, Position end,
                                                 Timestamp time);

}  // namespace stele
