#pragma once
// The whole index: immutable parts in position order, then the newest one.

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/index/index_part.h"
#include "engine/index/newest_part.h"

namespace stele {

/// The parts as they stood at one moment; cheap to copy. What is inserted later shows up in `newest`, so readers bound what they see by
/// a position of their own.
class IndexView {
 public:
  IndexView() = default;
  IndexView(std::vector<std::shared_ptr<const IndexPart>> sealed, std::shared_ptr<const NewestPart> newest)
      : sealed_(std::move(sealed)), newest_(std::move(newest)) {}

  [[nodiscard]] const std::vector<std::shared_ptr<const IndexPart>>& sealed() const { return sealed_; }
  [[nodiscard]] const NewestPart& newest() const { return *newest_; }
  /// One past the last position of the immutable parts.
  [[nodiscard]] Position sealed_end() const { return newest_->first(); }

  [[nodiscard]] std::size_t part_count() const { return sealed_.size() + 1; }
  [[nodiscard]] const IndexPart& part(std::size_t i) const {
    return i < sealed_.size() ? *sealed_[i] : static_cast<const IndexPart&>(*newest_);
  }

  [[nodiscard]] std::optional<Position> find_event(const Uuid& event_id) const;
  [[nodiscard]] std::optional<AggregateSummary> aggregate(std::string_view id) const;
  /// 0 if the aggregate does not exist.
  [[nodiscard]] SequenceNumber last_sequence(std::string_view id) const;
  [[nodiscard]] std::optional<Position> position_of(std::string_view id, SequenceNumber sequence) const;
  [[nodiscard]] std::vector<AggregateSummary> aggregates(const AggregateQuery& query, std::size_t limit) const;

  // Immutable parts only.
  [[nodiscard]] std::optional<Position> find_sealed_event(const Uuid& event_id) const;
  [[nodiscard]] std::optional<AggregateHead> sealed_head(std::string_view id) const;

 private:
  std::vector<std::shared_ptr<const IndexPart>> sealed_;
  std::shared_ptr<const NewestPart> newest_;
};

/// One thread inserts; any thread takes views.
class IndexSet {
 public:
  /// `part_records_max`: the newest part becomes immutable when it holds that many.
  IndexSet(Position first, std::uint64_t part_records_max);

  void insert(std::span<const RecordHeader> records);
  [[nodiscard]] std::shared_ptr<const IndexView> view() const;

 private:
  const std::uint64_t part_records_max_;
  std::shared_ptr<NewestPart> newest_;  // inserting thread only
  mutable std::mutex mutex_;
  std::shared_ptr<const IndexView> view_;  // under mutex_
};

}  // namespace stele
