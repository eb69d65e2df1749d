#pragma once
// The part of the index that still grows, in memory. Once it is full it is immutable: no more records, until it is
// written as a run.

#include <array>
#include <span>

#include "engine/base/keyed_hash.h"
#include "engine/base/mutex.h"
#include "engine/base/writer_first_mutex.h"
#include "engine/index/index_part.h"
#include "engine/index/key_table.h"
#include "engine/index/posting_list.h"
#include "engine/index/replay_point.h"
#include "engine/log/record.h"

namespace stele {

/// Where records stand in the log: offsets in one segment.
struct RecordLocations {
  SegmentId segment;
  ByteOffset base;                         ///< added to each of `offsets`
  std::span<const std::uint32_t> offsets;  ///< one a record
};

/// One thread inserts, any thread reads; a lock inside is held only for one lookup or one group.
class Memtable final : public IndexPart {
 public:
  explicit Memtable(Position first) : first_(first) {}
  /// Continues a part that is full, with room from the start for as much as that one holds.
  explicit Memtable(const Memtable& before) NO_LOCK_ANALYSIS;  // `before` is full

  /// Adds records with consecutive positions, the first at end(), which continue the sequence numbers of their
  /// aggregates. `places` may be empty if they are not known.
  void insert(std::span<const RecordHeader> records, const RecordLocations& places);
  /// No more records come. `replay`: where the log goes on behind the last one, if that is known.
  void make_immutable(std::optional<ReplayPoint> replay) { replay_ = std::move(replay); }

  [[nodiscard]] Position first() const override { return first_; }
  [[nodiscard]] Position end() const override;
  [[nodiscard]] std::uint64_t size() const { return end().since(first_); }

  // As of IndexPart, without a Result: memory does not fail.
  [[nodiscard]] std::optional<Position> find(const Uuid& event_id) const;
  [[nodiscard]] std::optional<AggregateHead> find_head(std::string_view id) const;
  [[nodiscard]] bool has_aggregate(std::string_view id) const;
  // The same for the inserting thread: nobody else changes anything, so it needs no lock to read.
  [[nodiscard]] std::optional<Position> find_as_inserter(const Uuid& event_id) const NO_LOCK_ANALYSIS;
  struct BorrowedHead {
    SequenceNumber last_sequence;
    std::optional<std::string_view> aggregate_type;  ///< as long as the part lives
  };
  [[nodiscard]] std::optional<BorrowedHead> find_head_as_inserter(std::string_view id) const NO_LOCK_ANALYSIS;
  /// Of the records with `key`, ascending; valid until the next insert.
  [[nodiscard]] std::span<const std::uint32_t> ordinals_as_inserter(KeyKind kind,
                                                                    std::string_view key) const NO_LOCK_ANALYSIS;
  /// Brings what the first two will touch into the cache, in two steps: the second follows what the first has fetched.
  void prefetch_slots(const Uuid& event_id, std::string_view aggregate_id) const NO_LOCK_ANALYSIS;
  void prefetch_entries(std::string_view aggregate_id) const NO_LOCK_ANALYSIS;

  [[nodiscard]] Result<std::optional<Position>> find_event(const Uuid& event_id) const override {
    return find(event_id);
  }
  [[nodiscard]] Result<std::optional<AggregateSummary>> aggregate(std::string_view id) const override;
  [[nodiscard]] Result<std::optional<AggregateHead>> head(std::string_view id) const override { return find_head(id); }
  [[nodiscard]] Result<std::optional<Position>> position_of(std::string_view id,
                                                            SequenceNumber sequence) const override;
  [[nodiscard]] Result<std::vector<std::string>> aggregate_ids(const std::optional<std::string>& type,
                                                               std::string_view prefix, std::string_view from,
                                                               std::size_t limit) const override;
  [[nodiscard]] Result<std::unique_ptr<PostingReader>> postings(const IndexKey& key) const override;
  [[nodiscard]] Result<std::optional<OccurredDays>> occurred_days(std::int64_t first, std::int64_t last) const override;
  [[nodiscard]] Result<TimeBounds> time_bounds(Timestamp time) const override;

  // What a run is written from; only once it is immutable, so that no lock is needed.
  /// What stays as it is comes first, and lies in one cache line with the key: whether an aggregate is there is asked
  /// by other cores while the committer adds to it.
  struct Aggregate {
    SequenceNumber first_sequence;
    Timestamp first_time;
    const char* type_begin = nullptr;  ///< borrowed from the key of its list; null = none
    std::uint16_t type_bytes = 0;
    PostingList records;
    Timestamp last_time;

    [[nodiscard]] SequenceNumber last_sequence() const {  // an aggregate's numbers have no gaps
      return SequenceNumber{first_sequence.value() + records.size() - 1};
    }
    [[nodiscard]] std::optional<std::string_view> type() const {
      return type_begin == nullptr ? std::nullopt : std::optional(std::string_view(type_begin, type_bytes));
    }
  };
  /// Whether it is one of those that this part lists by type.
  [[nodiscard]] static bool begins_here(const Aggregate& aggregate) {
    return aggregate.type_begin != nullptr && aggregate.first_sequence == SequenceNumber{1};
  }
  struct TimeSample {
    std::uint32_t ordinal;
    Timestamp time;
  };
  /// Offsets of the records from `first` to the end, all in the segment of the replay point.
  struct Tail {
    Position first;
    SegmentId segment;
    std::vector<std::uint32_t> offsets;
  };
  [[nodiscard]] const KeyTable<Aggregate>& aggregates() const NO_LOCK_ANALYSIS { return aggregates_; }
  /// By stored key; not for KeyKind::Aggregate.
  [[nodiscard]] const KeyTable<PostingList>& lists(KeyKind kind) const NO_LOCK_ANALYSIS {
    return postings_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] const std::vector<Uuid>& event_ids() const NO_LOCK_ANALYSIS { return event_ids_; }
  [[nodiscard]] const std::vector<TimeSample>& times() const NO_LOCK_ANALYSIS { return times_; }
  [[nodiscard]] const Tail& tail() const { return tail_; }
  [[nodiscard]] const std::optional<ReplayPoint>& replay() const { return replay_; }

 private:
  class Reader;

  struct Keys;
  void insert_some(std::span<const RecordHeader> records) REQUIRES(mutex_);
  void insert_one(const RecordHeader& record, const Keys& keys) REQUIRES(mutex_);
  void insert_event_id(const Uuid& id, std::uint32_t hash) REQUIRES(mutex_);
  [[nodiscard]] static std::uint32_t hash_of(const Uuid& id) { return static_cast<std::uint32_t>(keyed_hash(id)); }
  void grow_id_slots(std::size_t size) REQUIRES(mutex_);
  void note_places(std::uint64_t records, const RecordLocations& places) REQUIRES(mutex_);
  void bring_order_up_to_date() const REQUIRES(order_mutex_);
  [[nodiscard]] const PostingList* find_list(KeyKind kind, std::string_view stored) const REQUIRES_SHARED(mutex_);

  mutable WriterFirstMutex mutex_;
  const Position first_;
  KeyTable<Aggregate> aggregates_ GUARDED_BY(mutex_);
  // Ids in byte order, for those who list them: brought up to date when somebody asks, not by the inserting thread.
  mutable Mutex order_mutex_;
  mutable std::vector<std::string_view> aggregates_in_order_ GUARDED_BY(order_mutex_);
  using TypedId = std::pair<std::string_view, std::string_view>;
  mutable std::vector<TypedId> begun_in_order_
      GUARDED_BY(order_mutex_);  // those with a type whose first record is here
  std::array<KeyTable<PostingList>, kKeyKinds> postings_ GUARDED_BY(mutex_);
  std::vector<Uuid> event_ids_ GUARDED_BY(mutex_);  // by ordinal
  struct IdSlot {
    std::uint32_t hash = 0;
    std::uint32_t number = 0;  ///< ordinal + 1; 0 = empty
  };
  std::vector<IdSlot> id_slots_ GUARDED_BY(mutex_);   // open addressing with linear probing; a power of two
  std::vector<TimeSample> times_ GUARDED_BY(mutex_);  // of every 64th record
  Tail tail_;                                         // inserting thread, until immutable
  std::optional<ReplayPoint> replay_;                 // likewise
};

}  // namespace stele
