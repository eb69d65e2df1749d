#pragma once
// A sealed segment with the data of one of its records taken out, as redaction will do it.

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/log/frame.h"
#include "engine/log/record.h"

namespace stele::test {

/// A record that has data and nothing else, without it.
inline std::string without_data(std::string_view record) {
  const auto header_bytes = get_at<std::uint16_t>(record.data() + kRecordFrameBytes + 4);
  Seed seed;
  std::memcpy(seed.data(), record.data() + kRecordFrameBytes + header_bytes, seed.size());
  const auto salt = member_salt(seed, BodyMember::Data);
  const std::string_view data = record.substr(kRecordFrameBytes + header_bytes + seed.size());
  std::string content(record.substr(kRecordFrameBytes, header_bytes));
  content += as_bytes(sha256({{reinterpret_cast<const char*>(salt.data()), salt.size()}, data}));
  std::string bytes;
  put<std::uint32_t>(bytes, static_cast<std::uint32_t>(kRecordFrameBytes + content.size()));
  put<std::uint8_t>(bytes, 1);
  bytes.append(3, '\0');
  put<std::uint64_t>(bytes, xxh3(bytes + content));
  return bytes + content;
}

enum class Link { Kept, Wrong };

/// The sealed segment with the data of one of its records taken out; `which` is its place in the segment.
inline std::string rewritten(std::string_view file, std::size_t which, Link link) {
  const SegmentHeader segment = decode_segment_header(file.substr(0, kSegmentHeaderBytes)).value();
  std::string to(file.substr(0, kSegmentHeaderBytes));
  std::vector<std::uint32_t> offsets;
  for (std::uint64_t at = kSegmentHeaderBytes;;) {
    FrameHeader header = *parse_frame_header(file.substr(at), segment.store_id, segment.segment);
    REQUIRE(frame_checksum_holds(file.substr(at, header.total_bytes())));
    std::string_view payload = file.substr(at + kFrameBytes, header.payload_length);
    if (header.kind == FrameKind::Footer) {
      Footer footer = decode_footer(header, payload).value();
      footer.groups_end = ByteOffset{to.size()};
      return to + encode_footer(header, footer, offsets);
    }
    at += header.total_bytes();
    std::string frame(kFrameBytes, '\0');
    bool changed = false;
    while (!payload.empty()) {
      const std::uint32_t length = record_length(payload).value();
      changed = changed || offsets.size() == which;
      offsets.push_back(static_cast<std::uint32_t>(to.size() + frame.size()));
      frame += offsets.size() - 1 == which ? without_data(payload.substr(0, length)) : payload.substr(0, length);
      payload.remove_prefix(length);
    }
    if (changed && link == Link::Wrong) ++header.link;
    finish_rewritten_frame(frame, header);
    to += frame;
  }
}

}  // namespace stele::test
