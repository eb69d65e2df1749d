#include "engine/commit/commit_machine.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/commit/genesis.h"

namespace stele {
namespace {

RecordHeader header_of(const EventDraft& event) {
  RecordHeader header;
  header.kind = RecordKind::Event;
  header.given = event.given;
  header.given.aggregate_type = event.aggregate_type.has_value();
  header.schema_version = event.schema_version;
  header.occurred_at = event.occurred_at;
  header.event_id = event.event_id;
  header.aggregate_id = event.aggregate_id;
  header.event_type = event.event_type;
  header.user_id = event.user_id ? event.user_id : event.principal;
  header.principal = event.principal;
  header.correlation_id = event.correlation_id;
  header.causation_id = event.causation_id;
  if (event.data) header.data_length = static_cast<std::uint32_t>(event.data->size());
  if (event.metadata) header.metadata_length = static_cast<std::uint32_t>(event.metadata->size());
  return header;
}

std::optional<std::string> owned(std::optional<std::string_view> text) {
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

std::optional<Position> find_in_memory(const MemoryLink& newest, const Uuid& id) {
  for (const MemoryLink* link = &newest; link != nullptr; link = link->next.get()) {
    if (auto found = link->part->find_as_inserter(id)) return found;
  }
  return std::nullopt;
}

/// The parts in memory from `newest` on as an index of their own.
IndexView view_of_memory(const MemoryLink& newest) {
  FrozenList frozen;
  const MemoryLink* link = &newest;
  for (; link->next; link = link->next.get()) frozen.push_back(link->part);
  return {{}, std::move(frozen), link->part};
}

}  // namespace

void Group::clear() {
  frame.assign(kFrameBytes, '\0');
  offsets.clear();
  headers.clear();
  leaves.clear();
  texts.clear();
}

CommitMachine::Head CommitMachine::head_of(std::string_view aggregate_id,
                                           const std::vector<std::optional<AggregateHead>>& sealed, std::size_t index,
                                           const Resolution& resolution, Group& group) const {
  if (const Head* found = heads_.find(aggregate_id)) return *found;
  std::optional<AggregateHead> found;
  for (const MemoryLink* link = resolution.newest.get(); link != nullptr; link = link->next.get()) {
    if (auto later = link->part->find_head_as_inserter(aggregate_id)) found = std::move(later);
  }
  if (found) {
    Head head{found->last_sequence, std::nullopt};
    if (found->aggregate_type) head.type = group.texts.emplace_back(std::move(*found->aggregate_type));
    return head;
  }
  if (index < sealed.size() && sealed[index]) return Head{sealed[index]->last_sequence, sealed[index]->aggregate_type};
  return Head{};
}

bool CommitMachine::find_duplicates(const Proposal& proposal, const Resolution& resolution,
                                    std::vector<std::optional<Position>>& duplicates) const {
  duplicates.assign(proposal.events.size(), std::nullopt);
  bool any = false;
  for (std::size_t i = 0; i < proposal.events.size(); ++i) {
    const Uuid& id = proposal.events[i].event_id;
    if (const Position* found = event_ids_.find(id)) {
      duplicates[i] = *found;
    } else if (auto stored = find_in_memory(*resolution.newest, id)) {
      duplicates[i] = stored;
    } else if (i < resolution.duplicates.size()) {
      duplicates[i] = resolution.duplicates[i];
    }
    any = any || duplicates[i].has_value();
  }
  if (!any) duplicates.clear();
  return any;
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
    const SequenceNumber last = head_of(wanted.aggregate_id, resolution.condition_heads, i, resolution, group).last;
    const bool met = wanted.last ? last == *wanted.last : last > SequenceNumber{0};
    if (!met) failed.mismatches.push_back({wanted.aggregate_id, last});
  }
  if (!condition.fail_if_events_match.empty()) {
    const Position begin = condition.after ? condition.after->next() : Position{0};
    failed.conflicting = resolution.conflicting;
    // Only what came after the proposer looked: first what the index got since, then the unsynced group.
    const IndexView memory = view_of_memory(*resolution.newest);
    const auto since = find_matches(condition.fail_if_events_match, memory, std::max(begin, resolution.checked_end),
                                    memory.newest().end()).value();  // memory does not fail
    failed.conflicting.insert(failed.conflicting.end(), since.begin(), since.end());
    for (const RecordHeader& header : group.headers) {
      if (header.kind == RecordKind::Event && header.position >= begin &&
          matches_any(condition.fail_if_events_match, header)) {
        failed.conflicting.push_back(header.position);
      }
    }
    if (failed.conflicting.size() > kConflictsMax) failed.conflicting.resize(kConflictsMax);
  }
  if (failed.mismatches.empty() && failed.conflicting.empty()) return std::nullopt;
  return failed;
}

AppendOutcome CommitMachine::apply(const Proposal& proposal, const Resolution& resolution, Timestamp stamp,
                                   Group& group, std::vector<std::optional<Position>>& duplicates) {
  using Kind = AppendOutcome::Kind;
  STELE_CHECK(!proposal.events.empty() && proposal.events.size() <= UINT16_MAX);
  if (find_duplicates(proposal, resolution, duplicates)) return AppendOutcome{.kind = Kind::Replayed};

  // Place every event first; nothing is changed before the whole commit is accepted.
  std::vector<Head>& placed = placed_;
  Heads& own = own_;
  placed.clear();
  own.clear();
  std::optional<AppendOutcome> sequence_conflict;
  for (std::size_t i = 0; i < proposal.events.size(); ++i) {
    const EventDraft& event = proposal.events[i];
    const Head* const earlier = own.find(event.aggregate_id);
    Head head = earlier != nullptr ? *earlier : head_of(event.aggregate_id, resolution.heads, i, resolution, group);
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
    if (proposal.events.size() > 1) own.set(event.aggregate_id, head);
  }
  if (auto failed = check_condition(proposal, resolution, group)) return std::move(*failed);
  if (sequence_conflict) return std::move(*sequence_conflict);

  const Position first = next_;
  last_time_ = std::max(last_time_, stamp);
  for (std::size_t i = 0; i < proposal.events.size(); ++i) {
    const EventDraft& event = proposal.events[i];
    RecordHeader header = header_of(event);
    header.aggregate_type = placed[i].type;
    header.sequence = placed[i].last;
    header.commit_index = static_cast<std::uint16_t>(i);
    header.commit_count = static_cast<std::uint16_t>(proposal.events.size());
    add_record(header, event.seed, event.body(), event.body_digest, group);
    event_ids_.set(event.event_id, first.plus(i));
    heads_.set(event.aggregate_id, placed[i]);
  }
  return AppendOutcome{
      .kind = Kind::Stored, .first = first, .count = static_cast<std::uint32_t>(proposal.events.size())};
}

void CommitMachine::apply_genesis(const Uuid& store_id, std::string_view origin, const Uuid& event_id, Timestamp stamp,
                                  Group& group) {
  STELE_CHECK(next_ == Position{0} && group.empty());
  last_time_ = std::max(last_time_, stamp);
  RecordHeader header;
  header.kind = RecordKind::Genesis;
  header.sequence = SequenceNumber{1};
  header.event_id = event_id;
  header.aggregate_id = kGenesisAggregate;
  header.event_type = kGenesisEventType;
  header.extensions = group.texts.emplace_back(encode_genesis({store_id, std::string(origin)}));
  add_record(header, Seed{}, RecordBody{}, body_digest(Seed{}, RecordBody{}), group);
}

void CommitMachine::add_record(const RecordHeader& placed, const Seed& seed, const RecordBody& body,
                               const Digest& body_digest, Group& group) {
  RecordHeader header = placed;
  header.position = next_;
  header.time = last_time_;
  const EncodedRecord encoded = append_record(group.frame, header, seed, body);
  group.offsets.push_back(static_cast<std::uint32_t>(encoded.record_offset));
  group.leaves.push_back(
      leaf_hash(std::string_view(group.frame).substr(encoded.header_offset, encoded.header_length), body_digest));
  group.headers.push_back(header);
  next_ = next_.next();
}

void CommitMachine::group_is_durable() {
  heads_.clear();
  event_ids_.clear();
}

std::uint64_t CommitMachine::bytes_max(const Proposal& proposal) {
  std::uint64_t bytes = 0;
  for (const EventDraft& event : proposal.events) {
    bytes += record_bytes_max(header_of(event), event.body()) + 1 + kStringBytesMax;  // a type may be inherited
  }
  return bytes;
}

}  // namespace stele
