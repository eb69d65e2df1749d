#pragma once
// A proposal with every member that one can have, the same each time.

#include <numeric>

#include "engine/base/uuid.h"
#include "engine/commit/proposal.h"
#include "engine/log/record_extensions.h"

namespace stele::test {

/// What seal() does, with a seed that is not random.
inline RecordDraft sealed_with(RecordDraft draft, std::uint8_t first_of_seed) {
  std::iota(draft.seed.begin(), draft.seed.end(), first_of_seed);
  draft.body_digest = body_digest(draft.seed, draft.body());
  draft.extensions = encode_extensions(draft.tags, draft.resource);
  draft.id_uuids = draft.header().find_id_uuids();
  return draft;
}

inline Proposal sample_proposal() {
  RecordDraft burn;
  burn.event_id = *parse_uuid("0192f0c4-9000-7000-8000-000000000021");
  burn.given = {.schema_version = true, .correlation_id = true};
  burn.aggregate_id = "mission-7";
  burn.aggregate_type = "Mission";
  burn.event_type = "BurnPlanned";
  burn.user_id = "0192f0c4-9000-7000-8000-00000000000a";
  burn.principal = "flight-service";
  burn.correlation_id = "burn 4";
  burn.causation_id = "0192f0c4-9000-7000-8000-000000000011";
  burn.schema_version = 3;
  burn.occurred_at = Timestamp{-1};
  burn.expected_sequence = SequenceNumber{1};
  burn.tags = {"course:7", "vip"};
  burn.data = "[1,2.50,null]";
  burn.metadata = R"({"source":"plan"})";
  RecordDraft bare;
  bare.event_id = *parse_uuid("0192f0c4-9000-7000-8000-000000000022");
  bare.aggregate_id = "tank/3";
  bare.event_type = "Noted";
  bare.principal = "flight-service";
  RecordDraft action;
  action.kind = RecordKind::Action;
  action.event_id = *parse_uuid("0192f0c4-9000-7000-8000-000000000023");
  action.aggregate_id = "$audit/append";
  action.event_type = "event.append";
  action.outcome = ActionOutcome::Failed;
  action.retention_class = 2;
  action.resource = "aggregate:mission-7";
  action.private_fields = R"({"remoteAddress":"192.0.2.7"})";
  Proposal proposal;
  proposal.is_list = true;
  proposal.events = {sealed_with(std::move(burn), 0x10), sealed_with(std::move(bare), 0x20)};
  proposal.attached = {sealed_with(std::move(action), 0x30)};
  proposal.condition.aggregates = {{"mission-7", SequenceNumber{0}}, {"tank/3", std::nullopt}};
  proposal.condition.fail_if_events_match = {
      {.event_types = {"a", "b"}, .aggregate_types = {"T"}, .aggregate_ids = {"x"}, .user_ids = {"ada"}, .tags = {"t"}},
      {}};
  proposal.condition.default_aggregate_types = {"Mission", "Tank"};
  proposal.condition.after = Position{7};
  proposal.schema_change = Position{3};
  return proposal;
}

}  // namespace stele::test
