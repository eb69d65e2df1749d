#pragma once
// What recovery does with what it finds: two decision tables, as data. Exactly one row of each applies to every input;
// a test goes through all of them. format-spec.md explains the rows to operators.

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/result.h"

namespace stele {

/// What can be seen of one segment file.
enum SegmentFlag : std::uint32_t {
  kNumberMissing = 1U << 0,  ///< the file with the number before it does not exist
  kHeaderDamaged = 1U << 1,  ///< shorter than a header, zeros, or a failing checksum
  kForeignMagic = 1U << 2,   ///< not written by Stele
  kNewerVersion = 1U << 3,   ///< asks for a newer reader
  kOtherStore = 1U << 4,     ///< store id differs from the first segment's
  kOtherNumber = 1U << 5,    ///< segment id differs from the file's name
  kLast = 1U << 6,           ///< no segment follows
  kFooterFound = 1U << 7,    ///< a whole footer stands directly behind its last group
};
inline constexpr int kSegmentFlags = 8;

/// What stands behind the last whole, chained group of the last segment.
enum TailFlag : std::uint32_t {
  kSealed = 1U << 0,         ///< a whole footer that agrees with the groups
  kBytesBehind = 1U << 1,    ///< anything but zeros
  kStartsNonZero = 1U << 2,  ///< the place of the next frame header is not all zeros
  kFrameHeader = 1U << 3,    ///< a frame header of this segment stands there
  kFrameWhole = 1U << 4,     ///< and its checksum holds, so it is a frame out of order
  kFooterHeader = 1U << 5,   ///< and it is a footer's
  kLaterGroup = 1U << 6,     ///< somewhere behind stands a whole group with a number beyond the next one
  kBelowDurable = 1U << 7,   ///< the state file knows of durable records beyond this end
};
inline constexpr int kTailFlags = 8;

enum class RecoveryAction {
  Read,         ///< a segment in the middle: take its records
  DecideTail,   ///< the last segment: the tail table decides
  Continue,     ///< append behind the last group
  Cut,          ///< zero and sync everything behind the last group, then append there
  NextSegment,  ///< the segment is full and sealed: trim it, begin the next one
  Refuse,       ///< open nothing, change nothing
};

struct RecoveryCase {
  std::string_view name;
  std::uint32_t set;    ///< flags that must be set
  std::uint32_t clear;  ///< flags that must not be set
  RecoveryAction action;
  ErrorKind error;  ///< for Refuse
  std::string_view meaning;

  [[nodiscard]] bool applies(std::uint32_t flags) const { return (flags & set) == set && (flags & clear) == 0; }
};

[[nodiscard]] std::span<const RecoveryCase> segment_cases();
[[nodiscard]] std::span<const RecoveryCase> tail_cases();

/// False for combinations that cannot be observed (a whole frame without a frame header, say).
[[nodiscard]] bool tail_flags_possible(std::uint32_t flags);

/// The row that applies; checked to be the only one by a test.
[[nodiscard]] const RecoveryCase& decide(std::span<const RecoveryCase> cases, std::uint32_t flags);

}  // namespace stele
