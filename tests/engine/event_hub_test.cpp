#include "engine/live/event_hub.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/log/log_folder.h"
#include "tests/support/eventually.h"
#include "tests/support/follow.h"
#include "tests/support/gated_file_system.h"
#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::test;
using stele::tests::wait_until;

namespace {

using Step = EventFollower::Step;

struct HubFixture {
  explicit HubFixture(EventHubOptions options = {}) : store(Store::open(sample_options(disk)).value()) {
    hub = std::make_unique<EventHub>(*store, options);
  }
  [[nodiscard]] std::unique_ptr<EventFollower> follow(EventQuery query = {}) {
    return hub->follow(std::move(query), [this] { bell.ring(); });
  }
  /// What the log holds from `begin` to `end`.
  [[nodiscard]] static std::vector<std::uint64_t> numbers(std::uint64_t begin, std::uint64_t end) {
    std::vector<std::uint64_t> all(end - begin);
    std::iota(all.begin(), all.end(), begin);
    return all;
  }
  /// Until the hub has read everything.
  void wait_for_hub(std::uint64_t records_read) {
    wait_until([&] { return hub->metrics().records_read >= records_read; });
  }

  SimulatedFileSystem disk{1};
  std::unique_ptr<Store> store;
  WakeBell bell;
  std::unique_ptr<EventHub> hub;
};

}  // namespace

TEST_CASE("EventHub.AFollowerGetsWhatIsThereAndThenWhatComes") {
  HubFixture fixture;
  append_sample(*fixture.store, 600);
  const auto follower = fixture.follow();
  CHECK(follower->may_block());
  CHECK(take_all(*follower) == HubFixture::numbers(1, 601));
  CHECK_FALSE(follower->may_block());
  CHECK(follower->examined_end() == Position{601});
  append_sample(*fixture.store, 50);
  CHECK(take(*follower, fixture.bell, 50) == HubFixture::numbers(601, 651));
  CHECK(follower->examined_end() == Position{651});
  CHECK(fixture.hub->metrics().records_read == 50);
}

TEST_CASE("EventHub.AFollowerBeginsBehindItsPositionEvenOneThatIsYetToCome") {
  HubFixture fixture;
  append_sample(*fixture.store, 10);
  const auto inside = fixture.follow({.after = Position{7}});
  const auto at_end = fixture.follow({.after = Position{10}});
  const auto beyond = fixture.follow({.after = Position{12}});
  CHECK(inside->examined_end() == Position{8});
  CHECK(take_all(*inside) == HubFixture::numbers(8, 11));
  CHECK(take_all(*at_end).empty());
  CHECK(take_all(*beyond).empty());
  CHECK(beyond->examined_end() == Position{13});
  append_sample(*fixture.store, 5);
  fixture.wait_for_hub(5);
  CHECK(take_all(*inside) == HubFixture::numbers(11, 16));
  CHECK(take_all(*at_end) == HubFixture::numbers(11, 16));
  CHECK(take_all(*beyond) == HubFixture::numbers(13, 16));
}

TEST_CASE("EventHub.NothingIsReadAtTheHeadUnlessSomebodyIsThere") {
  HubFixture fixture;
  append_sample(*fixture.store, 100);
  auto behind = fixture.follow();
  append_sample(*fixture.store, 100);
  CHECK(fixture.hub->metrics().followers == 1);
  CHECK(fixture.hub->metrics().followers_at_head == 0);
  CHECK(fixture.hub->metrics().records_read == 0);
  CHECK(take_all(*behind).size() == 200);
  CHECK(fixture.hub->metrics().followers_at_head == 1);
  behind.reset();
  CHECK(fixture.hub->metrics().followers == 0);
  append_sample(*fixture.store, 100);
  const auto another = fixture.follow({.after = Position{300}});
  CHECK(take_all(*another).empty());
  append_sample(*fixture.store, 3);
  CHECK(take(*another, fixture.bell, 3) == HubFixture::numbers(301, 304));
  CHECK(fixture.hub->metrics().records_read == 3);
}

TEST_CASE("EventHub.ARecordIsReadOnceForAllWhoShareIt") {
  HubFixture fixture;
  std::vector<std::unique_ptr<EventFollower>> followers;
  for (int i = 0; i < 20; ++i) {
    followers.push_back(fixture.follow(i % 2 == 0 ? EventQuery{} : EventQuery{.event_types = {"Common", "Common"}}));
    CHECK(take_all(*followers.back()).empty());
  }
  append_sample(*fixture.store, 1);
  fixture.wait_for_hub(1);
  std::shared_ptr<const Record> first, record;
  REQUIRE(*followers[0]->next(first, nullptr) == Step::Event);
  for (std::size_t i = 1; i < followers.size(); ++i) {
    REQUIRE(*followers[i]->next(record, nullptr) == Step::Event);
    CHECK(record == first);
    REQUIRE(*followers[i]->next(record, nullptr) == Step::AtHead);
  }
  CHECK(fixture.hub->metrics().records_read == 1);
  CHECK(fixture.hub->metrics().events_queued == 20);
}

TEST_CASE("EventHub.WhatDoesNotMatchMovesAFollowerOnWithoutWakingIt") {
  HubFixture fixture;
  const auto none = fixture.follow({.event_types = {"Never"}});
  const auto all = fixture.follow();
  CHECK(take_all(*none).empty());
  CHECK(take_all(*all).empty());
  append_sample(*fixture.store, 12);  // before the first rare one
  fixture.wait_for_hub(12);
  CHECK(none->examined_end() == Position{13});
  CHECK(all->examined_end() == Position{1});
  CHECK(fixture.bell.rings() == 1);
  CHECK(take_all(*all).size() == 12);
  CHECK(all->examined_end() == Position{13});
}

TEST_CASE("EventHub.AFollowerOfSeveralAggregatesGetsEachEventOnce") {
  HubFixture fixture;
  const auto follower = fixture.follow({.aggregate_ids = {"aggregate-2", "nothing", "aggregate-5", "aggregate-2"}});
  append_sample(*fixture.store, 10);
  CHECK(take_all(*follower) == std::vector<std::uint64_t>{2, 5, 9});
  append_sample(*fixture.store, 20);
  CHECK(take(*follower, fixture.bell, 6) == std::vector<std::uint64_t>{12, 16, 19, 23, 26, 30});
  CHECK(fixture.hub->metrics().events_queued == 6);
}

TEST_CASE("EventHub.AFollowerThatIsTooSlowLosesNothing") {
  HubFixture fixture({.queue_events_max = 8, .queue_bytes_max = 1U << 20});
  const auto slow = fixture.follow();
  const auto quick = fixture.follow({.event_types = {"Rare"}});
  CHECK(take_all(*slow).empty());
  CHECK(take_all(*quick).empty());
  append_sample(*fixture.store, 100);
  fixture.wait_for_hub(100);
  CHECK(fixture.hub->metrics().overflows == 1);
  CHECK(fixture.hub->metrics().followers_at_head == 1);
  CHECK(slow->examined_end() == Position{1});
  CHECK_FALSE(slow->may_block());
  CHECK_FALSE(slow->has_fallen_behind());
  CHECK(take(*slow, fixture.bell, 8) == HubFixture::numbers(1, 9));
  CHECK(slow->has_fallen_behind());
  CHECK(slow->may_block());
  CHECK(slow->examined_end() == Position{9});
  CHECK(take_all(*slow) == HubFixture::numbers(9, 101));
  CHECK_FALSE(slow->has_fallen_behind());
  CHECK(take_all(*quick) == std::vector<std::uint64_t>{13, 26, 39, 52, 65, 78, 91});
  append_sample(*fixture.store, 1);
  CHECK(take(*slow, fixture.bell, 1) == HubFixture::numbers(101, 102));
}

TEST_CASE("EventHub.AQueueIsBoundedInBytesButTakesOneRecordOfAnySize") {
  HubFixture fixture({.queue_events_max = 100, .queue_bytes_max = 1});
  const auto follower = fixture.follow();
  CHECK(take_all(*follower).empty());
  append_sample(*fixture.store, 2);
  fixture.wait_for_hub(2);
  CHECK(fixture.hub->metrics().events_queued == 1);
  CHECK(fixture.hub->metrics().overflows == 1);
  CHECK(take_all(*follower) == HubFixture::numbers(1, 3));
}

TEST_CASE("EventHub.ABudgetPausesAFollowerThatFindsNothing") {
  HubFixture fixture;
  append_sample(*fixture.store, 300);
  // Without an aggregate the index knows nothing of numbers: each record is looked at.
  const auto follower = fixture.follow({.from_sequence = SequenceNumber{1000}});
  std::shared_ptr<const Record> record;
  Position before = follower->examined_end();
  int pauses = 0;
  for (;;) {
    ReadBudget budget(ReadLimits{.records = 50, .time = std::chrono::hours{1}});
    const auto step = follower->next(record, &budget);
    REQUIRE(step);
    if (*step == Step::AtHead) break;
    REQUIRE(*step == Step::Paused);
    CHECK(follower->examined_end() > before);
    before = follower->examined_end();
    ++pauses;
  }
  CHECK(pauses >= 5);
}

TEST_CASE("EventHub.AfterItsEndFollowersAreOverAndMayOutliveIt") {
  HubFixture fixture;
  append_sample(*fixture.store, 5);
  const auto at_head = fixture.follow();
  const auto behind = fixture.follow();
  CHECK(take_all(*at_head).size() == 5);
  fixture.hub->stop();
  CHECK(fixture.bell.wait());
  std::shared_ptr<const Record> record;
  CHECK(*at_head->next(record, nullptr) == Step::Over);
  CHECK(*behind->next(record, nullptr) == Step::Over);
  fixture.hub->stop();
  const auto late = fixture.follow();
  CHECK(*late->next(record, nullptr) == Step::Over);
  fixture.hub.reset();
  CHECK(*at_head->next(record, nullptr) == Step::Over);
}

TEST_CASE("EventHub.TheEndOfTheStoreEndsItsFollowers") {
  HubFixture fixture;
  const auto follower = fixture.follow();
  CHECK(take_all(*follower).empty());
  REQUIRE(fixture.store->close());
  CHECK(fixture.bell.wait());
  std::shared_ptr<const Record> record;
  CHECK(*follower->next(record, nullptr) == Step::Over);
}

TEST_CASE("EventHub.TheEndOfAFollowerWaitsForItsWake") {
  HubFixture fixture;
  std::promise<void> entered, leave;
  std::atomic<bool> left{false};
  auto follower = fixture.hub->follow({}, [&] {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  });
  CHECK(take_all(*follower).empty());
  append_sample(*fixture.store, 1);
  entered.get_future().wait();
  auto ending = std::async(std::launch::async, [&] {
    follower.reset();
    return left.load();
  });
  leave.set_value();
  CHECK(ending.get());
}

TEST_CASE("EventHub.WhatCannotBeReadIsAnErrorOfThoseWhoAskForItAndSkipsNothing") {
  HubFixture fixture;
  const auto all = fixture.follow();
  const auto none = fixture.follow({.event_types = {"Never"}});
  CHECK(take_all(*all).empty());
  CHECK(take_all(*none).empty());
  fixture.disk.fail_with_probability(SimulatedCall::Read, 1, SimulatedFailure::Io);
  append_sample(*fixture.store, 1);
  std::shared_ptr<const Record> record;
  auto failed = all->next(record, nullptr);
  while (failed) {  // the other one may be woken first
    REQUIRE(*failed == Step::AtHead);
    REQUIRE(fixture.bell.wait());
    failed = all->next(record, nullptr);
  }
  CHECK(failed.error().kind == ErrorKind::Io);
  CHECK(take_all(*none).empty());
  CHECK(none->examined_end() == Position{2});
  fixture.disk.stop_failing();
  CHECK(take_all(*all) == HubFixture::numbers(1, 2));
}

TEST_CASE("EventHub.ARareTypeCostsWhatItHasAndNotWhatTheLogHas") {
  constexpr std::uint64_t kEvents = 6'000;
  const std::vector<std::uint64_t> rare{40, 2'900, 5'990};
  SimulatedFileSystem disk{1};
  StoreOptions options = sample_options(disk);
  options.index_part_records_max = 1'000;
  const auto store = Store::open(options).value();
  for (std::uint64_t next = 1; next <= kEvents;) {
    Proposal list;
    list.is_list = true;
    for (std::uint64_t i = 0; i < 100; ++i, ++next) {
      list.events.push_back(std::move(sample_proposal(next).events.front()));
      list.events.back().event_type = std::find(rare.begin(), rare.end(), next) == rare.end() ? "Common" : "Rare";
      list.events.back().seal();
    }
    REQUIRE(store->append_and_wait(std::move(list)).kind == AppendOutcome::Kind::Stored);
  }
  EventHub hub(*store);
  // What a follower finds, in how many calls with a budget of their own, and with how many reads of the disk.
  struct Cost {
    std::vector<std::uint64_t> found;
    std::uint64_t calls = 0, reads = 0;
  };
  const auto follow = [&](EventQuery query) {
    Cost cost;
    const auto follower = hub.follow(std::move(query), [] {});
    const std::uint64_t before = disk.calls(SimulatedCall::Read);
    for (std::shared_ptr<const Record> record;;) {
      ReadBudget budget(ReadLimits{.records = 100, .time = std::chrono::hours{1}});
      const auto step = follower->next(record, &budget);
      REQUIRE(step);
      ++cost.calls;
      if (*step == Step::Event) cost.found.push_back(record->header().position.value());
      if (*step == Step::AtHead) break;
    }
    CHECK(follower->examined_end() == Position{kEvents + 1});
    cost.reads = disk.calls(SimulatedCall::Read) - before;
    return cost;
  };
  const Cost of_rare = follow({.event_types = {"Rare"}});
  CHECK(of_rare.found == rare);
  CHECK(of_rare.calls <= rare.size() + 2);
  // The same number of events, which the index does not help to find.
  const Cost of_all = follow({.from_sequence = SequenceNumber{kEvents}});
  CHECK(of_all.found.empty());
  CHECK(of_all.calls >= kEvents / 100);
  CHECK(of_rare.reads * 20 < of_all.reads);
}

TEST_CASE("EventHub.OneThatWaitsForADiskHoldsUpNoneAtTheHead") {
  SimulatedFileSystem disk{1};
  {
    const auto store = Store::open(sample_options(disk)).value();
    append_sample(*store, 1'000);
    REQUIRE(store->close());
  }
  ReadGate gate;
  GatedFileSystem files(disk, gate, "/log/" + segment_name(SegmentId{1}));
  const auto store = Store::open(sample_options(files)).value();
  EventHub hub(*store);
  WakeBell bell;
  const auto at_head = hub.follow({.after = Position{1'000}}, [&] { bell.ring(); });
  REQUIRE(take_all(*at_head).empty());

  const auto behind = hub.follow({}, [] {});
  gate.close();
  auto reading = std::async(std::launch::async, [&] { return take_all(*behind); });
  {
    struct Opening {
      ReadGate& gate;
      ~Opening() { gate.open(); }
    } opening{gate};
    gate.await_waiting(1);
    for (std::uint64_t next = 1'001; next <= 1'020; next += 5) {
      append_sample(*store, 5);
      CHECK(take(*at_head, bell, 5) == HubFixture::numbers(next, next + 5));
    }
    CHECK(hub.metrics().followers_at_head == 1);
  }
  CHECK(reading.get() == HubFixture::numbers(1, 1'021));
  CHECK(hub.metrics().followers_at_head == 2);
}
