#pragma once
// The frames of a segment file: its header, group frames and the footer frame of a sealed segment. Bytes:
// format-spec.md. No I/O.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele {

inline constexpr std::uint16_t kFormatVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 4096;
inline constexpr std::size_t kFrameBytes = 80;
inline constexpr std::size_t kFooterTrailerBytes = 16;
/// No group frame, header included, is longer. Recovery relies on it: at most one group is unsynced, so what a crash
/// may have left behind the durable end lies within this many bytes.
inline constexpr std::uint64_t kGroupBytesMax = 32ULL << 20;
/// A group that is written anew may have grown: the digest of a redacted member may be longer than the member was. The
/// shortest record with all three members, all of them empty, has 118 bytes and gets 80 more.
inline constexpr std::uint64_t kRewrittenGroupBytesMax = 2 * kGroupBytesMax;

struct SegmentHeader {
  Uuid store_id;
  SegmentId segment;
  Timestamp created;
};

/// Exactly kSegmentHeaderBytes.
[[nodiscard]] std::string encode_segment_header(const SegmentHeader& header);
/// Foreign without our magic, NewerFormat, Corrupt.
[[nodiscard]] Result<SegmentHeader> decode_segment_header(std::string_view bytes);

enum class FrameKind : std::uint32_t {
  Group = 0x50524753,   ///< "SGRP"
  Footer = 0x54465353,  ///< "SSFT"
};

struct FrameHeader {
  FrameKind kind = FrameKind::Group;
  std::uint32_t record_count = 0;  ///< group: its records; footer: all of the segment
  Uuid store_id;
  SegmentId segment;
  GroupNumber group;                ///< footer: number of the last group
  Position first;                   ///< group: its first record; footer: first of the segment
  std::uint64_t previous_link = 0;  ///< of the group before, over segment borders; 0 for the first group of the log
  std::uint32_t payload_length = 0;
  /// Hash of the frame as it was first written. A group that is rewritten (redaction) keeps it, so that what follows
  /// still continues it.
  std::uint64_t link = 0;

  [[nodiscard]] std::uint64_t total_bytes() const { return kFrameBytes + payload_length; }
};

/// Completes a frame in place: `frame` begins with kFrameBytes of room, then the payload. Sets payload_length and link
/// of `header`.
void finish_frame(std::string& frame, FrameHeader& header);
/// The same for a frame that takes the place of another one: `header.link` is that of the first.
void finish_rewritten_frame(std::string& frame, FrameHeader& header);

/// The fields of a possible frame header of `store` and `segment`; none if the magic, the ids or the bounds say it is
/// not one. Says nothing about the payload.
[[nodiscard]] std::optional<FrameHeader> parse_frame_header(std::string_view bytes, const Uuid& store,
                                                            SegmentId segment);
/// True if the checksum over header, payload and link holds; `frame` is the whole frame.
[[nodiscard]] bool frame_checksum_holds(std::string_view frame);

/// What a footer's payload says: the times of the first and last record, the end of the last group, then the offset of
/// each record.
struct Footer {
  Timestamp first_time;
  Timestamp last_time;
  ByteOffset groups_end;
};
inline constexpr std::size_t kFooterFixedBytes = 24;

/// Appends a complete footer frame and the trailer that points back to it from the end of the file.
[[nodiscard]] std::string encode_footer(FrameHeader header, const Footer& footer,
                                        const std::vector<std::uint32_t>& offsets);
/// Decodes the fixed part of a footer frame's payload whose checksum holds.
[[nodiscard]] Result<Footer> decode_footer(const FrameHeader& header, std::string_view payload);
/// Offset of the footer frame from the last kFooterTrailerBytes of a sealed file; none if they are not a trailer.
[[nodiscard]] std::optional<ByteOffset> decode_trailer(std::string_view bytes);

}  // namespace stele
