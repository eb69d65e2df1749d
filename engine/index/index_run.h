#pragma once
// An immutable part of the index in a file: an index run. All its tables are static B+ trees with membership filters
// (sorted_table.h); a lookup of a key that the run does not have touches one cache line, one that it has three or four
// pages.

#include <memory>
#include <span>
#include <string>

#include "engine/index/index_part.h"
#include "engine/index/posting_codec.h"
#include "engine/index/run_directory.h"

namespace stele {

class IndexRun final : public IndexPart {
 public:
  /// Verifies the directory only; everything else when it is used.
  [[nodiscard]] static Result<std::shared_ptr<const IndexRun>> open(FileSystem& file_system, const std::string& path,
                                                                    const Uuid& store_id);

  [[nodiscard]] const PageFile& file() const { return *file_; }
  [[nodiscard]] const RunDirectory& directory() const { return directory_; }
  [[nodiscard]] const Table& table(std::size_t number) const { return tables_[number]; }
  [[nodiscard]] std::uint64_t size() const { return directory_.end.since(directory_.first); }
  [[nodiscard]] bool damaged() const { return file_->damaged(); }

  /// Offsets of the records from directory().tail_first to the end.
  [[nodiscard]] Result<std::vector<std::uint32_t>> tail_offsets() const;
  struct TimeSample {
    std::uint64_t ordinal;
    Timestamp time;
  };
  static constexpr std::size_t kTimeSamplesAtOnce = 64;
  /// Those from `first` on, at most kTimeSamplesAtOnce, all of which there are.
  [[nodiscard]] Status time_samples(std::uint64_t first, std::span<TimeSample> to) const;

  [[nodiscard]] Position first() const override { return directory_.first; }
  [[nodiscard]] Position end() const override { return directory_.end; }
  [[nodiscard]] Result<std::optional<Position>> find_event(const Uuid& event_id) const override {
    return find_event(event_id, DiskWait::Allowed);
  }
  [[nodiscard]] Result<std::optional<Position>> find_event(const Uuid& event_id, DiskWait wait) const;
  /// Asks the processor to fetch what tells whether the run has them.
  void prefetch_event(const Uuid& event_id) const;
  void prefetch_aggregate(std::string_view id) const;
  [[nodiscard]] Result<std::optional<AggregateSummary>> aggregate(std::string_view id) const override;
  [[nodiscard]] Result<std::optional<AggregateHead>> head(std::string_view id) const override {
    return head(id, DiskWait::Allowed);
  }
  [[nodiscard]] Result<std::optional<AggregateHead>> head(std::string_view id, DiskWait wait) const;
  [[nodiscard]] Result<std::optional<Position>> position_of(std::string_view id,
                                                            SequenceNumber sequence) const override;
  [[nodiscard]] Result<std::vector<std::string>> aggregate_ids(const std::optional<std::string>& type,
                                                               std::string_view prefix, std::string_view from,
                                                               std::size_t limit) const override;
  [[nodiscard]] Result<std::unique_ptr<PostingReader>> postings(const IndexKey& key) const override;
  [[nodiscard]] Result<std::optional<OccurredDays>> occurred_days(std::int64_t first, std::int64_t last) const override;
  [[nodiscard]] Result<TimeBounds> time_bounds(Timestamp time) const override;

 private:
  class Reader;
  IndexRun(std::unique_ptr<PageFile> file, RunDirectory directory);
  [[nodiscard]] bool directory_fits() const;
  [[nodiscard]] Error corrupt(const char* what) const;
  /// The value of an aggregate's key, its list left in `list`; `bytes` keeps it alive.
  [[nodiscard]] Result<bool> find_aggregate(std::string_view id, std::string& bytes, StoredAggregate& to,
                                            std::string_view& list, DiskWait wait = DiskWait::Allowed) const;
  [[nodiscard]] Result<Position> position_at(std::uint64_t ordinal) const;

  const std::unique_ptr<PageFile> file_;
  const RunDirectory directory_;
  std::array<Table, kRunTables> tables_;
};

}  // namespace stele
