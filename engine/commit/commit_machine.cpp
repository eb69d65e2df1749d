#include "engine/commit/commit_machine.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/commit/genesis.h"

namespace stele {
namespace {

/// What an unusually big group took is given back.
constexpr std::size_t kKeptFrameBytesMax = 4U << 20;

std::optional<std::string> owned(std::optional<std::string_view> text) {
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

std::optional<Position> find_in_memory(const MemoryLink& newest, const Uuid& id) {
  for (const MemoryLink* link = &newest; link != nullptr; link = link->next.get()) {
    if (auto found = link->part->find_as_inserter(id)) return found;
  }
  return std::nullopt;
}

}  // namespace

void Group::clear() {
  if (frame.capacity() > kKeptFrameBytesMax) frame = {};
  frame.assign(kFrameBytes, '\0');
  offsets.clear();
  headers.clear();
  leaves.clear();
  texts.clear();
}

CommitMachine::Head CommitMachine::head_of(std::string_view aggregate_id,
                                           const std::vector<std::optional<AggregateHead>>& sealed, std::size_t index,
                                           const Resolution& resolution) const {
  if (const Head* found = heads_.find(aggregate_id)) return *found;
  std::optional<Memtable::BorrowedHead> found;
  for (const MemoryLink* link = resolution.newest.get(); link != nullptr; link = link->next.get()) {
    if (auto later = link->part->find_head_as_inserter(aggregate_id)) found = later;
  }
  if (found) return Head{found->last_sequence, found->aggregate_type};
  if (index < sealed.size() && sealed[index]) return Head{sealed[index]->last_sequence, sealed[index]->aggregate_type};
  return Head{};
}

bool CommitMachine::find_duplicates(const Proposal& proposal, const Resolution& resolution,
                                    std::vector<std::optional<Position>>& duplicates) const {
  duplicates.clear();
  for (std::size_t i = 0; i < proposal.events.size(); ++i) {
    const Uuid& id = proposal.events[i].event_id;
    std::optional<Position> found;
    if (const Position* unsynced = event_ids_.find(id)) {
      found = *unsynced;
    } else if (auto stored = find_in_memory(*resolution.newest, id)) {
      found = stored;
    } else if (i < resolution.duplicates.size()) {
      found = resolution.duplicates[i];
    }
    if (!found) continue;
    duplicates.resize(proposal.events.size());
    duplicates[i] = found;
  }
  return !duplicates.empty();
}

std::optional<AppendOutcome> CommitMachine::check_condition(const Proposal& proposal, const Resolution& resolution,
                                                            Group& group) const {
  using Kind = AppendOutcome::Kind;
  const Condition& condition = proposal.condition;
  if (condition.after && *condition.after >= next_) {
    return AppendOutcome{.kind = Kind::AfterBeyondHead, .first = next_};
  }
  AppendOutcome failed{.kind = Kind::ConditionFailed};
  for (std::size_t i = 0; i < condition.aggregates.size(); ++i) {
    const AggregateCondition& wanted = condition.aggregates[i];
    const SequenceNumber last = head_of(wanted.aggregate_id, resolution.condition_heads, i, resolution).last;
    const bool met = wanted.last ? last == *wanted.last : last > SequenceNumber{0};
    if (!met) failed.mismatches.push_back({wanted.aggregate_id, last});
  }
  if (!condition.fail_if_events_match.empty()) {
    failed.conflicting = resolution.conflicting;
    // Only what came after the proposer looked: first what the index got since, then the unsynced group.
    const Position begin = std::max(begin_of(condition), resolution.checked_end);
    if (begin < next_ && failed.conflicting.size() < kConflictsMax) {
      resolution.matcher->find(*resolution.newest, begin, kConflictsMax, failed.conflicting);
      resolution.matcher->find(group.headers, begin, kConflictsMax, failed.conflicting);
    }
  }
  if (failed.mismatches.empty() && failed.conflicting.empty()) return std::nullopt;
  return failed;
}

AppendOutcome CommitMachine::apply(const Proposal& proposal, const Resolution& resolution, Timestamp stamp,
                                   Group& group, std::vector<std::optional<Position>>& duplicates) {
  using Kind = AppendOutcome::Kind;
  const std::size_t count = proposal.record_count();
  STELE_CHECK(count > 0 && count <= UINT16_MAX);
  if (find_duplicates(proposal, resolution, duplicates)) return AppendOutcome{.kind = Kind::Repeated};
  if (proposal.schema_change && *proposal.schema_change != schema_change_) {
    return AppendOutcome{.kind = Kind::SchemaChanged, .first = schema_change_};
  }

  // Place every event first; nothing is changed before the whole commit is accepted.
  std::vector<Head>& placed = placed_;
  Heads& own = own_;
  placed.clear();
  own.clear();
  std::optional<AppendOutcome> sequence_conflict;
  for (std::size_t i = 0; i < count; ++i) {
    const RecordDraft& event = proposal.record(i);
    const Head* const earlier = own.find(event.aggregate_id);
    Head head = earlier != nullptr ? *earlier : head_of(event.aggregate_id, resolution.heads, i, resolution);
    const bool exists = head.last > SequenceNumber{0};
    if (exists && event.aggregate_type && head.type != *event.aggregate_type) {
      return AppendOutcome{.kind = Kind::AggregateTypeConflict,
                           .event_index = static_cast<std::uint32_t>(i),
                           .stored_aggregate_type = owned(head.type)};
    }
    if (event.expected_sequence && *event.expected_sequence != head.last.next() && !sequence_conflict) {
      sequence_conflict = AppendOutcome{
          .kind = Kind::SequenceConflict, .event_index = static_cast<std::uint32_t>(i), .current = head.last};
    }
    if (!exists && event.aggregate_type) head.type = *event.aggregate_type;
    head.last = head.last.next();
    placed.push_back(head);
    if (count > 1) own.set(event.aggregate_id, head);
  }
  if (auto failed = check_condition(proposal, resolution, group)) return std::move(*failed);
  if (sequence_conflict) return std::move(*sequence_conflict);

  const Position first = next_;
  last_time_ = std::max(last_time_, stamp);
  AppendOutcome stored{.kind = Kind::Stored,
                       .first = first,
                       .count = static_cast<std::uint32_t>(proposal.events.size()),
                       .time = last_time_};
  stored.placed.resize(proposal.events.size());
  for (std::size_t i = 0; i < count; ++i) {
    const RecordDraft& event = proposal.record(i);
    RecordHeader& header = group.headers.emplace_back(event.header());
    header.aggregate_type = placed[i].type;
    header.sequence = placed[i].last;
    header.commit_index = static_cast<std::uint16_t>(i);
    header.commit_count = static_cast<std::uint16_t>(count);
    if (header.aggregate_type == kSchemaAggregateType) schema_change_ = next_;
    add_record(header, event.seed, event.body(), event.body_digest, group);
    event_ids_.set(event.event_id, first.plus(i));
    heads_.set(event.aggregate_id, placed[i]);
    if (i >= proposal.events.size()) continue;
    stored.placed[i].sequence = placed[i].last;
    if (!event.aggregate_type) stored.placed[i].inherited_type = owned(placed[i].type);
  }
  return stored;
}

void CommitMachine::prefetch(const Proposal& proposal, const Resolution& resolution) {
  const Memtable& newest = *resolution.newest->part;
  const std::size_t count = proposal.record_count();
  for (std::size_t i = 0; i < count; ++i) {
    newest.prefetch_slots(proposal.record(i).event_id, proposal.record(i).aggregate_id);
  }
  for (std::size_t i = 0; i < count; ++i) newest.prefetch_entries(proposal.record(i).aggregate_id);
}

void CommitMachine::apply_genesis(const Uuid& store_id, std::string_view origin, const Uuid& event_id, Timestamp stamp,
                                  Group& group) {
  STELE_CHECK(next_ == Position{0} && group.empty());
  last_time_ = std::max(last_time_, stamp);
  RecordHeader& header = group.headers.emplace_back();
  header.kind = RecordKind::Genesis;
  header.sequence = SequenceNumber{1};
  header.event_id = event_id;
  header.aggregate_id = kGenesisAggregate;
  header.event_type = kGenesisEventType;
  header.extensions = group.texts.emplace_back(encode_genesis({store_id, std::string(origin)}));
  add_record(header, Seed{}, RecordBody{}, body_digest(Seed{}, RecordBody{}), group);
}

void CommitMachine::add_record(RecordHeader& header, const Seed& seed, const RecordBody& body,
                               const Digest& body_digest, Group& group) {
  header.position = next_;
  header.time = last_time_;
  const EncodedRecord encoded = append_record(group.frame, header, seed, body);
  group.offsets.push_back(static_cast<std::uint32_t>(encoded.record_offset));
  group.leaves.push_back(
      leaf_hash(std::string_view(group.frame).substr(encoded.header_offset, encoded.header_length), body_digest));
  next_ = next_.next();
}

void CommitMachine::group_is_indexed() {
  heads_.clear();
  event_ids_.clear();
}

std::uint64_t CommitMachine::bytes_max(const Proposal& proposal) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < proposal.record_count(); ++i) {
    const RecordDraft& event = proposal.record(i);
    bytes += record_bytes_max(event.header(), event.body()) + 1 + kStringBytesMax;  // a type may be inherited
  }
  return bytes;
}

}  // namespace stele
