#include "engine/index/newest_part.h"

#include "engine/base/bytes.h"
#include "engine/base/keyed_hash.h"

namespace stele {

IndexKey occurred_day_key(std::int64_t day) {
  IndexKey key{KeyKind::OccurredDay, {}};
  put<std::int64_t>(key.text, day);
  return key;
}

std::int64_t day_of(Timestamp time) {
  constexpr std::int64_t kDay = 86'400'000'000;
  return time.micros / kDay - (time.micros % kDay < 0 ? 1 : 0);
}

void NewestPart::insert(std::span<const RecordHeader> records) {
  const std::unique_lock lock(mutex_);
  for (const RecordHeader& record : records) insert_one(record);
}

void NewestPart::insert_one(const RecordHeader& record) {
  const auto ordinal = static_cast<std::uint32_t>(event_ids_.size());
  STELE_CHECK(record.position == first_.plus(ordinal));

  event_ids_.push_back(record.event_id);
  insert_event_id(ordinal);

  auto [entry, is_new] = aggregates_.insert(record.aggregate_id);
  Aggregate& aggregate = entry->value;
  if (is_new) {
    aggregates_in_order_.insert(entry->key);
    aggregate.first_sequence = record.sequence;
    aggregate.first_time = record.time;
    if (record.aggregate_type) aggregate.type = std::string(*record.aggregate_type);
  }
  aggregate.last_sequence = record.sequence;
  aggregate.last_time = record.time;
  aggregate.records.push_back(ordinal);

  const auto post = [&](KeyKind kind, std::string_view key) {
    postings_[static_cast<std::size_t>(kind)].insert(key).first->value.push_back(ordinal);
  };
  post(KeyKind::EventType, record.event_type);
  if (record.aggregate_type) post(KeyKind::AggregateType, *record.aggregate_type);
  if (record.user_id) post(KeyKind::User, *record.user_id);
  if (record.correlation_id) post(KeyKind::Correlation, *record.correlation_id);
  if (record.occurred_at) {
    char day[sizeof(std::int64_t)];
    put_at<std::int64_t>(day, day_of(*record.occurred_at));
    post(KeyKind::OccurredDay, {day, sizeof day});
  }
}

void NewestPart::insert_event_id(std::uint32_t ordinal) {
  if (event_ids_.size() * 2 > id_slots_.size()) {
    id_slots_.assign(id_slots_.empty() ? 32 : id_slots_.size() * 2, 0);
    for (std::uint32_t i = 0; i < ordinal; ++i) {
      std::size_t at = keyed_hash(event_ids_[i]) & (id_slots_.size() - 1);
      while (id_slots_[at] != 0) at = (at + 1) & (id_slots_.size() - 1);
      id_slots_[at] = i + 1;
    }
  }
  std::size_t at = keyed_hash(event_ids_[ordinal]) & (id_slots_.size() - 1);
  while (id_slots_[at] != 0) at = (at + 1) & (id_slots_.size() - 1);
  id_slots_[at] = ordinal + 1;
}

Position NewestPart::end() const {
  const std::shared_lock lock(mutex_);
  return first_.plus(event_ids_.size());
}

std::optional<Position> NewestPart::find_event(const Uuid& event_id) const {
  const std::shared_lock lock(mutex_);
  if (id_slots_.empty()) return std::nullopt;
  std::size_t at = keyed_hash(event_id) & (id_slots_.size() - 1);
  for (; id_slots_[at] != 0; at = (at + 1) & (id_slots_.size() - 1)) {
    const std::uint32_t ordinal = id_slots_[at] - 1;
    if (event_ids_[ordinal] == event_id) return first_.plus(ordinal);
  }
  return std::nullopt;
}

std::optional<AggregateSummary> NewestPart::aggregate(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr) return std::nullopt;
  return AggregateSummary{.aggregate_id = std::string(id),
                          .aggregate_type = found->type,
                          .last_sequence = found->last_sequence,
                          .count = found->records.size(),
                          .first_time = found->first_time,
                          .last_time = found->last_time,
                          .last_position = first_.plus(found->records.ordinals().back())};
}

std::optional<AggregateHead> NewestPart::head(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr) return std::nullopt;
  return AggregateHead{found->last_sequence, found->type};
}

std::optional<Position> NewestPart::position_of(std::string_view id, SequenceNumber sequence) const {
  const std::shared_lock lock(mutex_);
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr || found->last_sequence < sequence) return std::nullopt;
  // Sequence numbers of an aggregate are contiguous, so a number is an index into its list.
  const std::uint64_t index = sequence <= found->first_sequence ? 0 : sequence.since(found->first_sequence);
  return first_.plus(found->records.ordinals()[index]);
}

std::vector<std::string> NewestPart::aggregate_ids(std::string_view prefix, std::string_view from,
                                                   std::size_t limit) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> ids;
  for (auto it = aggregates_in_order_.lower_bound(std::max(prefix, from));
       it != aggregates_in_order_.end() && ids.size() < limit && it->starts_with(prefix); ++it) {
    ids.emplace_back(*it);
  }
  return ids;
}

const PostingList* NewestPart::postings(const IndexKey& key) const {
  if (key.kind == KeyKind::Aggregate) {
    const Aggregate* found = aggregates_.find(key.text);
    return found == nullptr ? nullptr : &found->records;
  }
  return postings_[static_cast<std::size_t>(key.kind)].find(key.text);
}

void NewestPart::collect(const IndexKey& key, Position at, Direction direction, std::size_t limit,
                         std::vector<Position>& to) const {
  const std::shared_lock lock(mutex_);
  const PostingList* list = postings(key);
  if (list == nullptr) return;
  const std::span<const std::uint32_t> ordinals = list->ordinals();
  if (direction == Direction::Ascending) {
    const std::uint64_t from = at > first_ ? at.since(first_) : 0;
    auto it = std::lower_bound(ordinals.begin(), ordinals.end(), from);
    for (; it != ordinals.end() && limit > 0; ++it, --limit) to.push_back(first_.plus(*it));
  } else {
    if (at < first_) return;
    auto it = std::upper_bound(ordinals.begin(), ordinals.end(), at.since(first_));
    for (; it != ordinals.begin() && limit > 0; --limit) to.push_back(first_.plus(*--it));
  }
}

}  // namespace stele
