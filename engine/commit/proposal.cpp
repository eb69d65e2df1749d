#include "engine/commit/proposal.h"

#include "engine/base/uuid.h"

namespace stele {

void EventDraft::seal() {
  random_bytes(seed.data(), seed.size());
  body_digest = stele::body_digest(seed, body());
  id_uuids = header().find_id_uuids();
}

RecordBody EventDraft::body() const {
  RecordBody body;
  if (data) body.data = *data;
  if (metadata) body.metadata = *metadata;
  return body;
}

RecordHeader EventDraft::header() const {
  RecordHeader header;
  header.kind = RecordKind::Event;
  header.given = given;
  header.given.aggregate_type = aggregate_type.has_value();
  header.schema_version = schema_version;
  header.occurred_at = occurred_at;
  header.event_id = event_id;
  header.aggregate_id = aggregate_id;
  header.aggregate_type = aggregate_type;
  header.event_type = event_type;
  header.user_id = user_id ? user_id : principal;
  header.principal = principal;
  header.correlation_id = correlation_id;
  header.causation_id = causation_id;
  if (data) header.data_length = static_cast<std::uint32_t>(data->size());
  if (metadata) header.metadata_length = static_cast<std::uint32_t>(metadata->size());
  header.id_uuids = id_uuids;
  return header;
}

RecordHeader stored_header(const Proposal& proposal, const AppendOutcome& stored, std::uint32_t index) {
  STELE_CHECK(stored.kind == AppendOutcome::Kind::Stored && index < stored.placed.size());
  const AppendOutcome::Placed& placed = stored.placed[index];
  RecordHeader header = proposal.events[index].header();
  header.position = stored.first.plus(index);
  header.sequence = placed.sequence;
  header.time = stored.time;
  if (placed.inherited_type) header.aggregate_type = *placed.inherited_type;
  header.commit_index = static_cast<std::uint16_t>(index);
  header.commit_count = static_cast<std::uint16_t>(stored.count);
  return header;
}

}  // namespace stele
