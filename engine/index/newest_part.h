#pragma once
// The part of the index that still grows, in memory. Also serves as an immutable part once no more records are inserted.

#include <array>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <span>

#include "engine/index/index_part.h"
#include "engine/index/key_table.h"
#include "engine/index/posting_list.h"
#include "engine/log/record.h"

namespace stele {

/// One thread inserts, any thread reads; a lock inside is held only for one lookup or one group.
class NewestPart final : public IndexPart {
 public:
  explicit NewestPart(Position first) : first_(first) {}

  /// Adds records with consecutive positions, the first at end().
  void insert(std::span<const RecordHeader> records);

  [[nodiscard]] Position first() const override { return first_; }
  [[nodiscard]] Position end() const override;
  [[nodiscard]] std::optional<Position> find_event(const Uuid& event_id) const override;
  [[nodiscard]] std::optional<AggregateSummary> aggregate(std::string_view id) const override;
  [[nodiscard]] std::optional<AggregateHead> head(std::string_view id) const override;
  [[nodiscard]] std::optional<Position> position_of(std::string_view id, SequenceNumber sequence) const override;
  [[nodiscard]] std::vector<std::string> aggregate_ids(std::string_view prefix, std::string_view from,
                                                       std::size_t limit) const override;
  void collect(const IndexKey& key, Position at, Direction direction, std::size_t limit,
               std::vector<Position>& to) const override;

 private:
  struct Aggregate {
    PostingList records;
    SequenceNumber first_sequence;
    SequenceNumber last_sequence;
    Timestamp first_time;
    Timestamp last_time;
    std::optional<std::string> type;
  };

  void insert_one(const RecordHeader& record);
  void insert_event_id(std::uint32_t ordinal);
  [[nodiscard]] const PostingList* postings(const IndexKey& key) const;

  mutable std::shared_mutex mutex_;
  const Position first_;
  KeyTable<Aggregate> aggregates_;
  std::set<std::string_view> aggregates_in_order_;  // keys live in aggregates_
  std::array<KeyTable<PostingList>, kKeyKinds> postings_;
  std::vector<Uuid> event_ids_;              // by ordinal
  std::vector<std::uint32_t> id_slots_;      // open addressing: ordinal + 1, 0 = empty; a power of two
};

}  // namespace stele
