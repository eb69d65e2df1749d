// The order of a store may be made elsewhere: what one store ordered, as bytes, gives another one the same records.

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "engine/commit/proposal_codec.h"
#include "engine/store/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sample_proposal.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using stele::test::TempFolder;

namespace {

struct Ordered {
  std::string proposal;
  std::optional<Timestamp> stamp;
};

/// A local order; `each` sees every proposal when it is ordered.
class WatchedSequencer final : public Sequencer {
 public:
  WatchedSequencer(const LocalSequencerOptions& options, std::function<void(PendingCommit&)> each)
      : local_(options), each_(std::move(each)) {}
  Submitted submit(std::unique_ptr<PendingCommit>& commit) override { return local_.submit(commit); }
  bool take(Batch& to, TakeMode mode) override {
    const bool more = local_.take(to, mode);
    for (const auto& commit : to) each_(*commit);
    return more;
  }
  void interrupt() override { local_.interrupt(); }
  void close() override { local_.close(); }
  std::uint64_t waiting() const override { return local_.waiting(); }
  std::string clock_refusal() const override { return {}; }
  std::string clock_alarm() const override { return {}; }

 private:
  LocalSequencer local_;
  const std::function<void(PendingCommit&)> each_;
};

StoreOptions options_in(const TempFolder& folder, const test::FakeClock& clock) {
  StoreOptions options;
  options.clock = &clock;
  options.folder = folder.path() + "/data";
  options.segment_bytes = StoreBounds::kSegmentBytesMin;
  return options;
}

Uuid numbered(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = number;
  return id;
}

}  // namespace

TEST_CASE("InjectedSequencer.TheSameOrderGivesAnotherStoreTheSameRecords") {
  const TempFolder first_folder, second_folder;
  test::FakeClock clock;
  const std::int64_t begin = clock.wall;  // the second genesis record must not be later than the first
  std::vector<Ordered> order;
  StoreOptions options = options_in(first_folder, clock);
  options.make_sequencer = [&](const LocalSequencerOptions& local) {
    return std::make_unique<WatchedSequencer>(local, [&](PendingCommit& commit) {
      order.push_back({encode_proposal(commit.proposal), commit.stamp});
    });
  };
  auto first = Store::open(options);
  REQUIRE(first);
  using Kind = AppendOutcome::Kind;
  std::vector<Kind> outcomes;
  for (std::uint8_t i = 0; i < 20; ++i) {
    clock.wall += 1000;
    Proposal made = test::sample_proposal();
    made.schema_change = Position{0};
    made.condition = {};
    // Some are refused, and some are repeats.
    made.events[0].expected_sequence = SequenceNumber{1U + i / 2U};
    for (std::uint8_t k = 0; k < 2; ++k)
      made.events[k].event_id = numbered(static_cast<std::uint8_t>(1 + (i / 3) * 2 + k));
    made.attached[0].event_id = numbered(static_cast<std::uint8_t>(100 + i));
    outcomes.push_back((*first)->append_and_wait(made).kind);
  }
  CHECK(std::find(outcomes.begin(), outcomes.end(), Kind::Stored) != outcomes.end());
  CHECK(std::find(outcomes.begin(), outcomes.end(), Kind::SequenceConflict) != outcomes.end());
  CHECK(std::find(outcomes.begin(), outcomes.end(), Kind::Repeated) != outcomes.end());

  clock.wall = begin;
  options = options_in(second_folder, clock);
  options.make_sequencer = [&](const LocalSequencerOptions& local) {
    return std::make_unique<WatchedSequencer>(
        local, [&, next = std::size_t{0}](PendingCommit& commit) mutable { commit.stamp = order.at(next++).stamp; });
  };
  auto second = Store::open(options);
  REQUIRE(second);
  REQUIRE(order.size() == outcomes.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    auto proposal = decode_proposal(order[i].proposal);
    REQUIRE(proposal);
    CHECK((*second)->append_and_wait(std::move(*proposal)).kind == outcomes[i]);
  }
  const auto wanted = (*first)->view(), got = (*second)->view();
  REQUIRE(got->end() == wanted->end());
  Record a, b;
  for (Position at{1}; at < wanted->end(); at = at.next()) {  // the genesis records are of two stores
    REQUIRE(wanted->read(at, a));
    REQUIRE(got->read(at, b));
    CHECK(a.leaf() == b.leaf());
  }
}
