#pragma once
// The segments of a log taken apart into their records and put together again with every checksum, link and offset
// made anew: what somebody can do who has the folder and this program.

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/log/frame.h"
#include "engine/log/record.h"

namespace stele::test {

/// The record with the checksum that its bytes have now.
inline std::string with_checksum(std::string record) {
  put_at<std::uint64_t>(record.data() + 8, xxh3(record.substr(0, 8) + record.substr(kRecordFrameBytes)));
  return record;
}

inline constexpr std::size_t kPositionInRecord = kRecordFrameBytes + 8;
inline constexpr std::size_t kSequenceInRecord = kRecordFrameBytes + 16;
inline constexpr std::size_t kTimeInRecord = kRecordFrameBytes + 24;

class LogEditor {
 public:
  using Group = std::vector<std::string>;  ///< its records

  /// `files`: segment files by path, in order of their names.
  explicit LogEditor(const std::map<std::string, std::string>& files) {
    for (const auto& [path, bytes] : files) {
      if (path.ends_with(".seg")) take_apart(path, bytes);
    }
  }

  struct Part {
    std::string path;
    std::string header;
    std::vector<Group> groups;
    bool is_sealed = false;
    std::size_t size = 0;  ///< of the file
  };
  std::vector<Part> parts;

  /// All records, wherever they are.
  [[nodiscard]] std::vector<std::string*> records() {
    std::vector<std::string*> all;
    for (Part& part : parts) {
      for (Group& group : part.groups) {
        for (std::string& record : group) all.push_back(&record);
      }
    }
    return all;
  }

  /// The files, with positions and checksums that fit.
  [[nodiscard]] std::map<std::string, std::string> files() {
    std::map<std::string, std::string> made;
    std::uint64_t position = 0, group_number = 0, link = 0;
    for (Part& part : parts) {
      const SegmentHeader segment = decode_segment_header(part.header).value();
      std::string bytes = part.header;
      std::vector<std::uint32_t> offsets;
      const std::uint64_t first = position;
      Timestamp first_time, last_time;
      for (Group& group : part.groups) {
        if (group.empty()) continue;
        FrameHeader frame{.kind = FrameKind::Group,
                          .record_count = static_cast<std::uint32_t>(group.size()),
                          .store_id = segment.store_id,
                          .segment = segment.segment,
                          .group = GroupNumber{++group_number},
                          .first = Position{position},
                          .previous_link = link};
        std::string to(kFrameBytes, '\0');
        for (std::string& record : group) {
          put_at<std::uint64_t>(record.data() + kPositionInRecord, position++);
          last_time = Timestamp{get_at<std::int64_t>(record.data() + kTimeInRecord)};
          if (offsets.empty()) first_time = last_time;
          offsets.push_back(static_cast<std::uint32_t>(bytes.size() + to.size()));
          record = with_checksum(std::move(record));
          to += record;
        }
        finish_frame(to, frame);
        link = frame.link;
        bytes += to;
      }
      if (part.is_sealed) {
        FrameHeader footer{.kind = FrameKind::Footer,
                           .record_count = static_cast<std::uint32_t>(offsets.size()),
                           .store_id = segment.store_id,
                           .segment = segment.segment,
                           .group = GroupNumber{group_number},
                           .first = Position{first},
                           .previous_link = link};
        bytes += encode_footer(footer, Footer{first_time, last_time, ByteOffset{bytes.size()}}, offsets);
      } else {
        bytes.resize(std::max(bytes.size(), part.size), '\0');
      }
      made[part.path] = std::move(bytes);
    }
    return made;
  }

 private:
  void take_apart(const std::string& path, std::string_view bytes) {
    Part part{.path = path, .header = std::string(bytes.substr(0, kSegmentHeaderBytes)), .size = bytes.size()};
    const SegmentHeader segment = decode_segment_header(part.header).value();
    for (std::size_t at = kSegmentHeaderBytes; at + kFrameBytes <= bytes.size();) {
      const auto frame = parse_frame_header(bytes.substr(at), segment.store_id, segment.segment);
      if (!frame) break;
      REQUIRE(frame_checksum_holds(bytes.substr(at, frame->total_bytes())));
      if (frame->kind == FrameKind::Footer) {
        part.is_sealed = true;
        break;
      }
      Group& group = part.groups.emplace_back();
      for (std::string_view rest = bytes.substr(at + kFrameBytes, frame->payload_length); !rest.empty();) {
        const std::uint32_t length = record_length(rest).value();
        group.emplace_back(rest.substr(0, length));
        rest.remove_prefix(length);
      }
      at += frame->total_bytes();
    }
    parts.push_back(std::move(part));
  }
};

}  // namespace stele::test
