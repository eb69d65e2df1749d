#pragma once
// Encoded records for seeds: a genesis-like one without body, a plain event, and one with every member.

#include <string>
#include <vector>

#include "engine/base/uuid.h"
#include "engine/log/record.h"

namespace stele::fuzz {

/// `position` goes into the header; the rest is the same every time.
inline std::string sample_record(int kind, std::uint64_t position) {
  RecordHeader header;
  header.position = Position{position};
  header.sequence = SequenceNumber{position + 1};
  header.time = Timestamp{1'767'323'045'000'000 + static_cast<std::int64_t>(position)};
  header.event_id = *parse_uuid("0192f0c4-9000-7000-8000-000000000011");
  header.aggregate_id = "mission-7";
  header.event_type = "MissionCreated";
  RecordBody body;
  if (kind == 0) {
    header.kind = RecordKind::Genesis;
    header.extensions = std::string_view("\1\0\2\0ab\2\0\5\0stele", 15);
  }
  if (kind >= 1) {
    body.data = R"({"name":"Apollo"})";
    header.aggregate_type = "Mission";
    header.user_id = "ada";
    header.correlation_id = "0192f0c4-9000-7000-8000-0000000000c0";
    header.given = {.schema_version = true, .correlation_id = true, .aggregate_type = true};
  }
  if (kind >= 2) {
    header.occurred_at = Timestamp{1};
    header.commit_index = 1;
    header.commit_count = 3;
    header.kind = RecordKind::Action;
    header.outcome = ActionOutcome::Refused;
    header.retention_class = 1;
    header.principal = "service";
    header.causation_id = "cause";
    header.extensions = std::string_view(
        "\3\0\x0d\0\x08"
        "course:7\3vip"
        "\4\0\x0d\0route:/events",
        34);
    body.metadata = "null";
    body.private_fields = "";
  }
  const auto length = [](const std::optional<std::string_view>& member) {
    return member ? std::optional(static_cast<std::uint32_t>(member->size())) : std::nullopt;
  };
  header.data_length = length(body.data);
  header.metadata_length = length(body.metadata);
  header.private_length = length(body.private_fields);
  std::string bytes;
  append_record(bytes, header, Seed{1, 2, 3}, body);
  return bytes;
}

}  // namespace stele::fuzz
