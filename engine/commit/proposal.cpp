#include "engine/commit/proposal.h"

#include "engine/base/uuid.h"
#include "engine/log/extensions.h"
#include "engine/log/record_extensions.h"

namespace stele {

namespace {

// The longest record fits its header: seven strings, the tags and the resource.
constexpr std::size_t kHeaderFieldsBytes = 82;
static_assert(kHeaderFieldsBytes + 7 * (1 + kStringBytesMax) + kExtensionFrameBytes + kTagsMax * (1 + kTagBytesMax) <=
                  kHeaderBytesMax &&
              kHeaderFieldsBytes + 7 * (1 + kStringBytesMax) + kExtensionFrameBytes + kResourceBytesMax <=
                  kHeaderBytesMax);

}  // namespace

void RecordDraft::seal() {
  random_bytes(seed.data(), seed.size());
  body_digest = stele::body_digest(seed, body());
  extensions = encode_extensions(tags, resource);
  id_uuids = header().find_id_uuids();
}

RecordBody RecordDraft::body() const {
  RecordBody body;
  if (data) body.data = *data;
  if (metadata) body.metadata = *metadata;
  if (private_fields) body.private_fields = *private_fields;
  return body;
}

RecordHeader RecordDraft::header() const {
  RecordHeader header;
  header.kind = kind;
  header.outcome = outcome;
  header.retention_class = retention_class;
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
  header.extensions = extensions;
  STELE_CHECK(read_extensions(header));
  if (data) header.data_length = static_cast<std::uint32_t>(data->size());
  if (metadata) header.metadata_length = static_cast<std::uint32_t>(metadata->size());
  if (private_fields) header.private_length = static_cast<std::uint32_t>(private_fields->size());
  header.id_uuids = id_uuids;
  return header;
}

namespace {

template <class Take>
void each_value(const Condition& condition, Take take) {
  for (const AggregateCondition& aggregate : condition.aggregates) take(aggregate.aggregate_id);
  for (const std::string& type : condition.default_aggregate_types) take(type);
  for (const EventMatch& match : condition.fail_if_events_match) {
    for (const auto* const list :
         {&match.event_types, &match.aggregate_types, &match.aggregate_ids, &match.user_ids, &match.tags}) {
      for (const std::string& text : *list) take(text);
    }
  }
}

}  // namespace

std::size_t value_count(const Condition& condition) {
  std::size_t count = condition.fail_if_events_match.size();
  each_value(condition, [&](const std::string&) { ++count; });
  return count;
}

std::uint64_t memory_bytes(const Condition& condition) {
  constexpr std::uint64_t kValueBytes = 128;  // the text's object, and what an EventMatcher has of it
  std::uint64_t bytes = condition.fail_if_events_match.size() * sizeof(EventMatch);
  each_value(condition, [&](const std::string& text) { bytes += text.size() + kValueBytes; });
  return bytes;
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
  header.commit_count = static_cast<std::uint16_t>(proposal.record_count());
  return header;
}

}  // namespace stele
