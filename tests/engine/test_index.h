#pragma once
// An index on a simulated disk, for tests: in memory alone, in runs, or in runs that are merged.

#include <doctest/doctest.h>

#include "engine/index/index_compactor.h"
#include "tests/support/simulated_file_system.h"

namespace stele::test {

/// The value; the test fails without one.
template <class T>
T ok(Result<T> result) {
  REQUIRE_MESSAGE(result, (result ? "" : result.error().describe()));
  return std::move(result).value();
}

enum class IndexShape { Memory, Runs, CompactedRuns };
inline constexpr IndexShape kIndexShapes[] = {IndexShape::Memory, IndexShape::Runs, IndexShape::CompactedRuns};

class TestIndex {
 public:
  explicit TestIndex(std::uint64_t part_records_max, IndexShape shape = IndexShape::Memory)
      : shape_(shape), set_({}, Position{0}, part_records_max) {
    REQUIRE(disk_.create_folders("/index"));
    compactor_.emplace(IndexCompactorOptions{files(), part_records_max, 0}, set_, [](Position, Record&) {
      return Status(Error{.kind = ErrorKind::NotFound, .message = "this index has no log"});
    });
  }

  /// The records as one group.
  void insert(std::span<const RecordHeader> records) {
    set_.insert(records, {});
    if (!set_.full()) return;
    set_.make_immutable(std::nullopt);
    if (shape_ == IndexShape::CompactedRuns) compactor_->work_off();
    if (shape_ == IndexShape::Runs) set_.flushed(ok(write_run(files(), *view()->immutable().front(), nullptr)));
  }

  [[nodiscard]] std::shared_ptr<const IndexView> view() const { return set_.view(); }
  [[nodiscard]] IndexSet::Snapshot snapshot() const { return set_.snapshot(); }
  [[nodiscard]] IndexSet& set() { return set_; }
  [[nodiscard]] IndexCompactor& keeper() { return *compactor_; }
  [[nodiscard]] SimulatedFileSystem& disk() { return disk_; }
  [[nodiscard]] RunFiles files() { return {&disk_, "/index", Uuid{{7}}, 42}; }

 private:
  const IndexShape shape_;
  SimulatedFileSystem disk_{1};
  IndexSet set_;
  std::optional<IndexCompactor> compactor_;
};

}  // namespace stele::test
