#include "engine/verify/piece_check.h"

#include <algorithm>
#include <utility>

#include "engine/base/digest.h"
#include "engine/base/keyed_hash.h"

namespace stele {

namespace {

/// Where the link stands in a frame; it is the hash of what is before it and of the payload.
constexpr std::size_t kLinkedBytes = 64;

bool is_notice(const RecordHeader& header) {
  return header.kind == RecordKind::Genesis ||
         (header.kind == RecordKind::Event &&
          (header.aggregate_id.starts_with("$key/") || header.aggregate_id.starts_with("$redaction/")));
}

std::uint8_t redacted_members(const Record& record) {
  std::uint8_t members = 0;
  if (!record.any_redacted()) return members;
  for (const BodyMember member : {BodyMember::Data, BodyMember::Metadata, BodyMember::Private}) {
    if (record.redacted(member)) members = static_cast<std::uint8_t>(members | (1U << static_cast<unsigned>(member)));
  }
  return members;
}

class PieceCheck {
 public:
  PieceCheck(const LogPiece& piece, CheckedPiece& to) : piece_(piece), to_(to) {}

  void check(const PieceGroup& group) {
    const std::string_view frame = std::string_view(piece_.bytes).substr(group.begin, group.header.total_bytes());
    const std::string_view payload = frame.substr(kFrameBytes);
    bool any_redacted = false;
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < group.header.record_count; ++i) {
      const Position position = group.header.first.plus(i);
      const std::uint64_t offset = piece_.offset + group.begin + kFrameBytes + at;
      const auto length = record_length(payload.substr(at));
      if (!length || *length > payload.size() - at) {
        const std::uint32_t left = group.header.record_count - i;
        add(group.is_whole ? Verdict::Rewritten : Verdict::Damaged, position, offset,
            std::to_string(left) + (left == 1 ? " record cannot" : " records cannot") +
                " be found in the group: the length of one does not fit");
        for (; i < group.header.record_count; ++i) put_unreadable(group.header.first.plus(i), 0);
        return;
      }
      std::copy_n(payload.data() + at, *length, record_.prepare(*length).data());
      at += *length;
      if (const Status decoded = record_.decode(); !decoded) {
        add(Verdict::Damaged, position, offset, decoded.error().message);
        put_unreadable(position, offset);
        continue;
      }
      const RecordHeader& header = record_.header();
      any_redacted = any_redacted || record_.any_redacted();
      to_.records.push_back(CheckedRecord{.leaf = record_.leaf(),
                                          .position = header.position,
                                          .sequence = header.sequence,
                                          .time = header.time,
                                          .aggregate = keyed_hash(header.aggregate_id),
                                          .offset = static_cast<std::uint32_t>(offset),
                                          .is_whole = true,
                                          .redacted = redacted_members(record_)});
      if (header.position != position) {
        add(Verdict::Rewritten, position, offset,
            "the record says that it is the one at position " + std::to_string(header.position.value()));
      }
      if (is_notice(header)) to_.notices.emplace_back(payload.substr(at - *length, *length));
    }
    if (!group.is_whole) return;
    const std::uint64_t offset = piece_.offset + group.begin;
    if (at != payload.size()) {
      add(Verdict::Rewritten, group.header.first, offset, "the group is longer than its records");
    } else if (!any_redacted && xxh3(frame.substr(0, kLinkedBytes), payload) != group.header.link) {
      add(Verdict::Rewritten, group.header.first, offset,
          "the group was written anew, as if members of its records had been redacted, and none is");
    }
  }

 private:
  void add(Verdict verdict, Position position, std::uint64_t offset, std::string text) {
    to_.findings.push_back(Finding{
        .verdict = verdict, .text = std::move(text), .position = position, .file = piece_.path, .offset = offset});
  }
  void put_unreadable(Position position, std::uint64_t offset) {
    to_.records.push_back(
        CheckedRecord{.position = position, .offset = static_cast<std::uint32_t>(offset), .is_whole = false});
  }

  const LogPiece& piece_;
  CheckedPiece& to_;
  Record record_;
};

}  // namespace

void check_piece(const LogPiece& piece, CheckedPiece& to) {
  to.records.clear();
  to.notices.clear();
  to.findings.clear();
  PieceCheck check(piece, to);
  for (const PieceGroup& group : piece.groups) check.check(group);
}

}  // namespace stele
