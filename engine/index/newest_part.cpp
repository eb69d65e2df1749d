#include "engine/index/newest_part.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/base/keyed_hash.h"

namespace stele {

namespace {

constexpr std::uint32_t kTimeSampleEvery = 64;

}  // namespace

void NewestPart::insert(std::span<const RecordHeader> records, const RecordPlaces& places) {
  const std::unique_lock lock(mutex_);
  note_places(records.size(), places);
  for (const RecordHeader& record : records) insert_one(record);
}

void NewestPart::note_places(std::uint64_t records, const RecordPlaces& places) {
  if (places.offsets.empty()) return;
  STELE_CHECK(places.offsets.size() == records);
  const Position at = first_.plus(event_ids_.size());
  if (tail_.segment != places.segment || tail_.first.plus(tail_.offsets.size()) != at) {
    tail_ = Tail{at, places.segment, {}};
  }
  for (const std::uint32_t offset : places.offsets) {
    tail_.offsets.push_back(static_cast<std::uint32_t>(places.base.value()) + offset);
  }
}

void NewestPart::insert_one(const RecordHeader& record) {
  const auto ordinal = static_cast<std::uint32_t>(event_ids_.size());
  STELE_CHECK(record.position == first_.plus(ordinal));

  event_ids_.push_back(record.event_id);
  insert_event_id(ordinal);
  if (ordinal % kTimeSampleEvery == 0) times_.push_back(TimeSample{ordinal, record.time});

  auto [entry, is_new] = aggregates_.insert(record.aggregate_id);
  Aggregate& aggregate = entry->value;
  if (is_new) {
    aggregate.first_sequence = record.sequence;
    aggregate.first_time = record.time;
    if (record.aggregate_type) aggregate.type = std::string(*record.aggregate_type);
  }
  aggregate.last_sequence = record.sequence;
  aggregate.last_time = record.time;
  aggregate.records.push_back(ordinal);

  char buffer[kIndexKeyBytesMax];
  const auto post = [&](KeyKind kind, std::string_view text) {
    const std::string_view key = stored_key(kind, text, buffer);
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

std::optional<Position> NewestPart::find(const Uuid& event_id) const {
  const std::shared_lock lock(mutex_);
  return find_as_inserter(event_id);
}

std::optional<AggregateHead> NewestPart::find_head(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  return find_head_as_inserter(id);
}

std::optional<Position> NewestPart::find_as_inserter(const Uuid& event_id) const {
  if (id_slots_.empty()) return std::nullopt;
  std::size_t at = keyed_hash(event_id) & (id_slots_.size() - 1);
  for (; id_slots_[at] != 0; at = (at + 1) & (id_slots_.size() - 1)) {
    const std::uint32_t ordinal = id_slots_[at] - 1;
    if (event_ids_[ordinal] == event_id) return first_.plus(ordinal);
  }
  return std::nullopt;
}

Result<std::optional<AggregateSummary>> NewestPart::aggregate(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr) return std::optional<AggregateSummary>{};
  return std::optional(AggregateSummary{.aggregate_id = std::string(id),
                          .aggregate_type = found->type,
                          .last_sequence = found->last_sequence,
                          .count = found->records.size(),
                          .first_time = found->first_time,
                          .last_time = found->last_time,
                          .last_position = first_.plus(found->records.ordinals().back())});
}

std::optional<AggregateHead> NewestPart::find_head_as_inserter(std::string_view id) const {
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr) return std::nullopt;
  return AggregateHead{found->last_sequence, found->type};
}

bool NewestPart::has_aggregate(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  return aggregates_.find(id) != nullptr;
}

Result<std::optional<Position>> NewestPart::position_of(std::string_view id, SequenceNumber sequence) const {
  const std::shared_lock lock(mutex_);
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr || found->last_sequence < sequence) return std::optional<Position>{};
  // Sequence numbers of an aggregate are contiguous, so a number is an index into its list.
  const std::uint64_t index = sequence <= found->first_sequence ? 0 : sequence.since(found->first_sequence);
  return std::optional(first_.plus(found->records.ordinals()[index]));
}

Result<std::vector<std::string>> NewestPart::aggregate_ids(std::string_view prefix, std::string_view from,
                                                           std::size_t limit) const {
  const std::lock_guard order_lock(order_mutex_);
  auto& order = aggregates_in_order_;
  const auto sorted = static_cast<std::ptrdiff_t>(order.size());
  {
    // Entries stay where they are, so only taking them needs the lock, not sorting.
    const std::shared_lock lock(mutex_);
    for (std::size_t i = order.size(); i < aggregates_.size(); ++i) order.push_back(aggregates_.entries()[i].key());
  }
  std::sort(order.begin() + sorted, order.end());
  std::inplace_merge(order.begin(), order.begin() + sorted, order.end());

  std::vector<std::string> ids;
  for (auto it = std::lower_bound(order.begin(), order.end(), std::max(prefix, from));
       it != order.end() && ids.size() < limit && it->starts_with(prefix); ++it) {
    ids.emplace_back(*it);
  }
  return ids;
}

const PostingList* NewestPart::find_list(KeyKind kind, std::string_view stored) const {
  if (kind == KeyKind::Aggregate) {
    const Aggregate* found = aggregates_.find(stored);
    return found == nullptr ? nullptr : &found->records;
  }
  return lists(kind).find(stored);
}

/// Looks the list up anew each time, because it grows.
class NewestPart::Reader final : public PostingReader {
 public:
  Reader(const NewestPart& part, KeyKind kind, std::string_view stored) : part_(part), kind_(kind), stored_(stored) {}

  Status collect(Position at, Direction direction, std::size_t limit, std::vector<Position>& to) override {
    const std::shared_lock lock(part_.mutex_);
    const PostingList* list = part_.find_list(kind_, stored_);
    if (list == nullptr) return {};
    const Position first = part_.first_;
    const std::span<const std::uint32_t> ordinals = list->ordinals();
    if (direction == Direction::Ascending) {
      const std::uint64_t from = at > first ? at.since(first) : 0;
      auto it = std::lower_bound(ordinals.begin(), ordinals.end(), from);
      for (; it != ordinals.end() && limit > 0; ++it, --limit) to.push_back(first.plus(*it));
    } else if (at >= first) {
      auto it = std::upper_bound(ordinals.begin(), ordinals.end(), at.since(first));
      for (; it != ordinals.begin() && limit > 0; --limit) to.push_back(first.plus(*--it));
    }
    return {};
  }

 private:
  const NewestPart& part_;
  const KeyKind kind_;
  const std::string stored_;
};

Result<std::unique_ptr<PostingReader>> NewestPart::postings(const IndexKey& key) const {
  if (key.text.size() > kStringBytesMax) return std::unique_ptr<PostingReader>{};
  char buffer[kIndexKeyBytesMax];
  const std::string_view stored = stored_key(key.kind, key.text, buffer);
  return std::unique_ptr<PostingReader>(std::make_unique<Reader>(*this, key.kind, stored));
}

Result<IndexPart::TimeBounds> NewestPart::time_bounds(Timestamp time) const {
  const std::shared_lock lock(mutex_);
  const auto behind = std::partition_point(times_.begin(), times_.end(), [&](const TimeSample& s) { return s.time < time; });
  TimeBounds bounds{first_, first_.plus(event_ids_.size())};
  if (behind != times_.begin()) bounds.begin = first_.plus(std::prev(behind)->ordinal).next();
  if (behind != times_.end()) bounds.end = first_.plus(behind->ordinal);
  return bounds;
}

}  // namespace stele
