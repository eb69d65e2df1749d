#include "engine/index/memtable.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/base/keyed_hash.h"

namespace stele {

namespace {

constexpr std::uint32_t kTimeSampleEvery = 64;
constexpr std::size_t kIdSlotsMin = 32;
constexpr std::size_t kPrefetchRecords = 8;

}  // namespace

/// The keys of one record as the tables hold them, with their hashes.
struct Memtable::Keys {
  static constexpr std::size_t kKeysMax = 10 + kTagsMax;  // one of each kind, but the tags
  /// Without initializers: to clear all that a record may have took longer than what most have.
  struct Key {
    KeyKind kind;
    std::uint32_t hash;
    const char* data;
    std::size_t size;
    [[nodiscard]] std::string_view text() const { return {data, size}; }
  };
  std::array<Key, kKeysMax> list;
  std::size_t count = 0;
  std::uint32_t event_id_hash = 0;
  std::array<char, kIndexKeyBytesMax> user, correlation;
  std::array<char, sizeof(std::int64_t)> day;
  std::vector<std::string> system_texts;

  void add(KeyKind kind, std::string_view text) {
    list[count++] = Key{kind, KeyTable<PostingList>::hash_of(text), text.data(), text.size()};
  }

  void take(const RecordHeader& record) {
    count = 0;
    event_id_hash = hash_of(record.event_id);
    add(KeyKind::Aggregate, record.aggregate_id);
    if (is_system(record)) return take_system(record);
    add(KeyKind::EventType, record.event_type);
    if (record.aggregate_type) add(KeyKind::AggregateType, *record.aggregate_type);
    const auto id = [&](KeyKind kind, std::string_view text, const std::optional<Uuid> IdUuids::*form, char* buffer) {
      add(kind, record.id_uuids ? stored_id_key(text, *record.id_uuids.*form, buffer) : stored_key(kind, text, buffer));
    };
    if (record.user_id) id(KeyKind::User, *record.user_id, &IdUuids::user, user.data());
    if (record.correlation_id)
      id(KeyKind::Correlation, *record.correlation_id, &IdUuids::correlation, correlation.data());
    if (record.occurred_at) {
      put_at<std::int64_t>(day.data(), day_of(*record.occurred_at));
      add(KeyKind::OccurredDay, {day.data(), day.size()});
    }
    for (const std::string_view tag : record.tags) add(KeyKind::Tag, tag);
    if (record.principal) add(KeyKind::Principal, *record.principal);
  }

  void take_system(const RecordHeader& record) {
    system_texts.clear();
    const auto add_system = [this](SystemKey which, std::string_view text) {
      system_texts.push_back(system_key(which, text).text);
    };
    add_system(SystemKey::All, {});
    add_system(SystemKey::EventType, record.event_type);
    if (record.aggregate_type) add_system(SystemKey::AggregateType, *record.aggregate_type);
    if (record.user_id) add_system(SystemKey::User, *record.user_id);
    if (record.correlation_id) add_system(SystemKey::Correlation, *record.correlation_id);
    for (const std::string_view tag : record.tags) add_system(SystemKey::Tag, tag);
    if (record.principal) add_system(SystemKey::Principal, *record.principal);
    if (record.resource) add_system(SystemKey::Resource, *record.resource);
    if (record.outcome != ActionOutcome::Done) add_system(SystemKey::Outcome, outcome_name(record.outcome));
    for (const std::string& text : system_texts) add(KeyKind::System, text);
  }
};

Memtable::Memtable(const Memtable& before) : first_(before.end()) {
  event_ids_.reserve(before.event_ids_.size());
  grow_id_slots(before.id_slots_.size());
  times_.reserve(before.times_.size());
  aggregates_.reserve(before.aggregates_.size());
  for (std::size_t kind = 0; kind < kKeyKinds; ++kind) postings_[kind].reserve(before.postings_[kind].size());
}

void Memtable::insert(std::span<const RecordHeader> records, const RecordLocations& places) {
  const WriterLock lock(mutex_);
  note_places(records.size(), places);
  for (; records.size() > kPrefetchRecords; records = records.subspan(kPrefetchRecords)) {
    insert_some(records.first(kPrefetchRecords));
  }
  insert_some(records);
}

/// The tables are larger than the caches: what a record touches is fetched while the ones before are inserted.
void Memtable::insert_some(std::span<const RecordHeader> records) {
  std::array<Keys, kPrefetchRecords> keys;
  for (std::size_t i = 0; i < records.size(); ++i) {
    keys[i].take(records[i]);
    if (!id_slots_.empty()) __builtin_prefetch(&id_slots_[keys[i].event_id_hash & (id_slots_.size() - 1)], 1);
    for (const Keys::Key& key : std::span(keys[i].list).first(keys[i].count)) {
      if (key.kind == KeyKind::Aggregate) {
        aggregates_.prefetch_slot(key.hash);
      } else {
        postings_[static_cast<std::size_t>(key.kind)].prefetch_slot(key.hash);
      }
    }
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    for (const Keys::Key& key : std::span(keys[i].list).first(keys[i].count)) {
      if (key.kind == KeyKind::Aggregate) {
        aggregates_.prefetch_entry(key.hash);
      } else if (key.kind == KeyKind::User || key.kind == KeyKind::Correlation || key.kind == KeyKind::Tag) {
        postings_[static_cast<std::size_t>(key.kind)].prefetch_entry(key.hash);
      }
    }
  }
  for (std::size_t i = 0; i < records.size(); ++i) insert_one(records[i], keys[i]);
}

void Memtable::note_places(std::uint64_t records, const RecordLocations& places) {
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

void Memtable::insert_one(const RecordHeader& record, const Keys& keys) {
  const auto ordinal = static_cast<std::uint32_t>(event_ids_.size());
  STELE_CHECK(record.position == first_.plus(ordinal));

  insert_event_id(record.event_id, keys.event_id_hash);
  if (ordinal % kTimeSampleEvery == 0) times_.push_back(TimeSample{ordinal, record.time});

  std::optional<std::string_view> type;
  for (std::size_t i = 1; i < keys.count; ++i) {
    const Keys::Key& key = keys.list[i];
    KeyTable<PostingList>::Entry* const entry =
        postings_[static_cast<std::size_t>(key.kind)].insert(key.text(), key.hash).first;
    entry->value.push_back(ordinal);
    if (key.kind == KeyKind::AggregateType) {
      type = entry->key();
    } else if (key.kind == KeyKind::System && is_key_of(SystemKey::AggregateType, key.text())) {
      type = entry->key().substr(1);  // behind the byte that says what it is
    }
  }
  auto [entry, is_new] = aggregates_.insert(keys.list[0].text(), keys.list[0].hash);
  Aggregate& aggregate = entry->value;
  if (is_new) {
    aggregate.first_sequence = record.sequence;
    aggregate.first_time = record.time;
    aggregate.type_begin = type ? type->data() : nullptr;
    aggregate.type_bytes = static_cast<std::uint16_t>(type.value_or("").size());
  }
  aggregate.last_time = record.time;
  aggregate.records.push_back(ordinal);
}

void Memtable::grow_id_slots(std::size_t size) {
  std::vector<IdSlot> old(size);
  old.swap(id_slots_);
  for (const IdSlot& slot : old) {
    if (slot.number == 0) continue;
    std::size_t at = slot.hash & (size - 1);
    while (id_slots_[at].number != 0) at = (at + 1) & (size - 1);
    id_slots_[at] = slot;
  }
}

void Memtable::insert_event_id(const Uuid& id, std::uint32_t hash) {
  event_ids_.push_back(id);
  if (event_ids_.size() * 2 > id_slots_.size()) grow_id_slots(std::max(kIdSlotsMin, id_slots_.size() * 2));
  std::size_t at = hash & (id_slots_.size() - 1);
  while (id_slots_[at].number != 0) at = (at + 1) & (id_slots_.size() - 1);
  id_slots_[at] = IdSlot{hash, static_cast<std::uint32_t>(event_ids_.size())};
}

void Memtable::prefetch_slots(const Uuid& event_id, std::string_view aggregate_id) const {
  if (!id_slots_.empty()) __builtin_prefetch(&id_slots_[hash_of(event_id) & (id_slots_.size() - 1)]);
  aggregates_.prefetch_slot(KeyTable<Aggregate>::hash_of(aggregate_id));
}

void Memtable::prefetch_entries(std::string_view aggregate_id) const {
  aggregates_.prefetch_entry(KeyTable<Aggregate>::hash_of(aggregate_id));
}

Position Memtable::end() const {
  const ReaderLock lock(mutex_);
  return first_.plus(event_ids_.size());
}

std::optional<Position> Memtable::find(const Uuid& event_id) const {
  const ReaderLock lock(mutex_);
  return find_as_inserter(event_id);
}

std::optional<AggregateHead> Memtable::find_head(std::string_view id) const {
  const ReaderLock lock(mutex_);
  const auto found = find_head_as_inserter(id);
  if (!found) return std::nullopt;
  AggregateHead head{found->last_sequence, std::nullopt};
  if (found->aggregate_type) head.aggregate_type = std::string(*found->aggregate_type);
  return head;
}

std::optional<Position> Memtable::find_as_inserter(const Uuid& event_id) const {
  if (id_slots_.empty()) return std::nullopt;
  const std::uint32_t hash = hash_of(event_id);
  std::size_t at = hash & (id_slots_.size() - 1);
  for (; id_slots_[at].number != 0; at = (at + 1) & (id_slots_.size() - 1)) {
    const std::uint32_t ordinal = id_slots_[at].number - 1;
    if (id_slots_[at].hash == hash && event_ids_[ordinal] == event_id) return first_.plus(ordinal);
  }
  return std::nullopt;
}

Result<std::optional<AggregateSummary>> Memtable::aggregate(std::string_view id) const {
  const ReaderLock lock(mutex_);
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr) return std::optional<AggregateSummary>{};
  AggregateSummary summary{.aggregate_id = std::string(id),
                           .last_sequence = found->last_sequence(),
                           .count = found->records.size(),
                           .first_time = found->first_time,
                           .last_time = found->last_time,
                           .last_position = first_.plus(found->records.ordinals().back())};
  if (found->type()) summary.aggregate_type = std::string(*found->type());
  return std::optional(std::move(summary));
}

std::optional<Memtable::BorrowedHead> Memtable::find_head_as_inserter(std::string_view id) const {
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr) return std::nullopt;
  return BorrowedHead{found->last_sequence(), found->type()};
}

bool Memtable::has_aggregate(std::string_view id) const {
  const ReaderLock lock(mutex_);
  return aggregates_.find(id) != nullptr;
}

Result<std::optional<Position>> Memtable::position_of(std::string_view id, SequenceNumber sequence) const {
  const ReaderLock lock(mutex_);
  const Aggregate* found = aggregates_.find(id);
  if (found == nullptr || found->last_sequence() < sequence) return std::optional<Position>{};
  // Sequence numbers of an aggregate are contiguous, so a number is an index into its list.
  const std::uint64_t index = sequence <= found->first_sequence ? 0 : sequence.since(found->first_sequence);
  return std::optional(first_.plus(found->records.ordinals()[index]));
}

void Memtable::bring_order_up_to_date() const {
  auto& ids = aggregates_in_order_;
  auto& begun = begun_in_order_;
  const auto sorted_ids = static_cast<std::ptrdiff_t>(ids.size());
  const auto sorted_begun = static_cast<std::ptrdiff_t>(begun.size());
  {
    // Entries stay where they are, so only taking them needs the lock, not sorting.
    const ReaderLock lock(mutex_);
    for (std::size_t i = ids.size(); i < aggregates_.size(); ++i) {
      const auto& entry = aggregates_.entry(i);
      ids.push_back(entry.key());
      if (begins_here(entry.value)) begun.emplace_back(*entry.value.type(), entry.key());
    }
  }
  std::sort(ids.begin() + sorted_ids, ids.end());
  std::inplace_merge(ids.begin(), ids.begin() + sorted_ids, ids.end());
  std::sort(begun.begin() + sorted_begun, begun.end());
  std::inplace_merge(begun.begin(), begun.begin() + sorted_begun, begun.end());
}

Result<std::vector<std::string>> Memtable::aggregate_ids(const std::optional<std::string>& type,
                                                         std::string_view prefix, std::string_view from,
                                                         std::size_t limit) const {
  const MutexLock order_lock(order_mutex_);
  bring_order_up_to_date();
  const std::string_view first = std::max(prefix, from);
  std::vector<std::string> ids;
  if (type) {
    for (auto it = std::lower_bound(begun_in_order_.begin(), begun_in_order_.end(), TypedId(*type, first));
         it != begun_in_order_.end() && ids.size() < limit && it->first == *type && it->second.starts_with(prefix);
         ++it) {
      ids.emplace_back(it->second);
    }
  } else {
    for (auto it = std::lower_bound(aggregates_in_order_.begin(), aggregates_in_order_.end(), first);
         it != aggregates_in_order_.end() && ids.size() < limit && it->starts_with(prefix); ++it) {
      ids.emplace_back(*it);
    }
  }
  return ids;
}

const PostingList* Memtable::find_list(KeyKind kind, std::string_view stored) const {
  if (kind == KeyKind::Aggregate) {
    const Aggregate* found = aggregates_.find(stored);
    return found == nullptr ? nullptr : &found->records;
  }
  return lists(kind).find(stored);
}

std::span<const std::uint32_t> Memtable::ordinals_as_inserter(KeyKind kind, std::string_view key) const {
  if (key.size() > kIndexTextBytesMax) return {};
  char buffer[kIndexKeyBytesMax];
  const PostingList* const list = find_list(kind, stored_key(kind, key, buffer));
  return list == nullptr ? std::span<const std::uint32_t>{} : list->ordinals();
}

/// Looks the list up anew each time, because it grows.
class Memtable::Reader final : public PostingReader {
 public:
  Reader(const Memtable& part, KeyKind kind, std::string_view stored) : part_(part), kind_(kind), stored_(stored) {}

  Status collect(Position at, Direction direction, std::size_t limit, std::vector<Position>& to) override {
    const ReaderLock lock(part_.mutex_);
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
  const Memtable& part_;
  const KeyKind kind_;
  const std::string stored_;
};

Result<std::unique_ptr<PostingReader>> Memtable::postings(const IndexKey& key) const {
  if (key.text.size() > kIndexTextBytesMax) return std::unique_ptr<PostingReader>{};
  char buffer[kIndexKeyBytesMax];
  const std::string_view stored = stored_key(key.kind, key.text, buffer);
  return std::unique_ptr<PostingReader>(std::make_unique<Reader>(*this, key.kind, stored));
}

Result<std::optional<IndexPart::OccurredDays>> Memtable::occurred_days(std::int64_t first, std::int64_t last) const {
  const ReaderLock lock(mutex_);
  const KeyTable<PostingList>& table = lists(KeyKind::OccurredDay);
  if (table.size() > kOccurredDaysMax) return std::optional<OccurredDays>{};
  OccurredDays found;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto& entry = table.entry(i);
    const std::int64_t day = day_of_key(entry.key());
    if (day < first || last < day) continue;
    found.days.push_back(day);
    found.records += entry.value.size();
  }
  return std::optional(std::move(found));
}

Result<IndexPart::TimeBounds> Memtable::time_bounds(Timestamp time) const {
  const ReaderLock lock(mutex_);
  const auto behind =
      std::partition_point(times_.begin(), times_.end(), [&](const TimeSample& s) { return s.time < time; });
  TimeBounds bounds{first_, first_.plus(event_ids_.size())};
  if (behind != times_.begin()) bounds.begin = first_.plus(std::prev(behind)->ordinal).next();
  if (behind != times_.end()) bounds.end = first_.plus(behind->ordinal);
  return bounds;
}

}  // namespace stele
