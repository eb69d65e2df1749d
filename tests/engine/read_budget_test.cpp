#include "engine/base/read_budget.h"

#include <doctest/doctest.h>

#include "tests/support/sample_store.h"

using namespace stele;
using std::chrono::hours;
using std::chrono::microseconds;

namespace {

constexpr std::uint64_t kEvents = 400;

struct SampleStore {
  SampleStore() {
    StoreOptions options = test::sample_options(disk);
    store = Store::open(options).value();
    test::append_sample(*store, kEvents);
  }
  SimulatedFileSystem disk{1};
  std::unique_ptr<Store> store;
};

/// Matches nothing, and only the records tell.
EventQuery hopeless(Direction direction) {
  EventQuery query;
  query.from_sequence = SequenceNumber{1'000'000};
  query.direction = direction;
  return query;
}

}  // namespace

TEST_CASE("ReadBudget.EndsAtItsRecords") {
  ReadBudget budget(ReadLimits{.records = 100, .time = hours{1}});
  for (int i = 0; i < 99; ++i) budget.spend();
  CHECK_FALSE(budget.used_up());
  budget.spend();
  CHECK(budget.used_up());
  ReadBudget large(ReadLimits{.records = 1000, .time = hours{1}});
  large.spend(999);
  CHECK_FALSE(large.used_up());
  large.look_soon();
  large.spend();
  CHECK(large.used_up());
  for (int i = 0; i < 1000; ++i) large.spend();
  CHECK(large.used_up());
}

TEST_CASE("ReadBudget.EndsAtItsTimeAndWhenNobodyWaits") {
  ReadBudget over(ReadLimits{.records = 1'000'000, .time = microseconds{0}});
  for (std::uint64_t i = 1; i < kUntimedRecords; ++i) over.spend();
  over.look_soon();
  CHECK_FALSE(over.used_up());
  over.spend();
  CHECK(over.used_up());
  ReadBudget slow(ReadLimits{.records = 1'000'000, .time = microseconds{0}});
  slow.spend(kUntimedRecords + 10);
  CHECK(slow.used_up());
  bool stopped = false;
  ReadBudget stoppable(ReadLimits{.records = 1'000'000, .time = hours{1}}, [&] { return stopped; });
  for (int i = 0; i < 1000; ++i) stoppable.spend();
  CHECK_FALSE(stoppable.used_up());
  stopped = true;
  int more = 0;
  for (; !stoppable.used_up(); ++more) stoppable.spend();
  CHECK(more <= 64);
}

TEST_CASE("ReadBudget.ASearchGoesOnBehindWhatWasExamined") {
  SampleStore sample;
  const auto view = sample.store->view();
  for (const Direction direction : {Direction::Ascending, Direction::Descending}) {
    EventQuery query = hopeless(direction);
    Record record;
    std::size_t pages = 0;
    for (bool more = true; more; ++pages) {
      ReadBudget budget(ReadLimits{.records = 10, .time = hours{1}});
      const auto stream = view->query(query, &budget).value();
      REQUIRE_FALSE(stream->next(record).value());
      REQUIRE_FALSE(stream->next(record).value());
      const auto rest = stream->rest_behind();
      more = rest.has_value();
      if (!more) break;
      const bool ascending = direction == Direction::Ascending;
      const std::uint64_t examined = (pages + 1) * 10;  // the genesis record, which it may not see, costs nothing
      CHECK(rest->value() == (ascending ? examined : view->end().value() - examined));
      (ascending ? query.after : query.before) = *rest;
    }
    CHECK(pages == kEvents / 10);
  }
}

TEST_CASE("ReadBudget.AUsedUpOneStillGoesOneStepOn") {
  SampleStore sample;
  const auto view = sample.store->view();
  Record record;
  ReadBudget none(ReadLimits{.records = 0, .time = microseconds{0}}, [] { return true; });
  none.spend();
  REQUIRE(none.used_up());
  for (const Direction direction : {Direction::Ascending, Direction::Descending}) {
    std::size_t steps = 0;
    for (EventQuery query = hopeless(direction);; ++steps) {
      const auto stream = view->query(query, &none).value();
      REQUIRE_FALSE(stream->next(record).value());
      const auto rest = stream->rest_behind();
      if (!rest) break;
      (direction == Direction::Ascending ? query.after : query.before) = *rest;
    }
    CHECK(steps == kEvents + (direction == Direction::Ascending ? 1 : 0));
  }
  AggregateQuery query;
  std::size_t steps = 0, found = 0;
  for (;; ++steps) {
    const AggregateList list = view->aggregates(query, 10, &none).value();
    CHECK(list.found.size() <= 1);
    found += list.found.size();
    if (!list.rest_behind) break;
    query.after = list.rest_behind->aggregate_id;
  }
  CHECK(steps == 8);  // seven, and the store's own
  CHECK(found == 7);
  // Of a type that nobody has, there is nothing to look at.
  query = {.aggregate_type = "nobody"};
  const AggregateList list = view->aggregates(query, 10, &none).value();
  CHECK(list.found.empty());
  CHECK_FALSE(list.rest_behind);
}

TEST_CASE("ReadBudget.AViewUntilAnEarlierHeadShowsWhatThatShowed") {
  SampleStore sample;
  const auto early = sample.store->view();
  test::append_sample(*sample.store, 100);
  const auto now = sample.store->view_until(early->end());
  CHECK(now->end() == early->end());
  CHECK(sample.store->view_until(Position{1'000'000})->end() == sample.store->durable_end());
  const AggregateList before = early->aggregates({}, 100).value();
  const AggregateList after = now->aggregates({}, 100).value();
  REQUIRE(before.found.size() == 7);
  REQUIRE(after.found.size() == 7);
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(before.found[i].aggregate_id == after.found[i].aggregate_id);
    CHECK(before.found[i].last_sequence == after.found[i].last_sequence);
    CHECK(before.found[i].last_position == after.found[i].last_position);
  }
}
