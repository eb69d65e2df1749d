// Where a subscription begins that was made with a time.

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/api/room_fixture.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

struct StoredEvent {
  Timestamp time;
  std::string aggregate;
};

std::vector<StoredEvent> stored_events(RoomFixture& fixture) {
  const auto view = fixture.store().view();
  const auto events = view->query(EventQuery());
  REQUIRE(events);
  std::vector<StoredEvent> found;
  for (Record record;;) {
    const auto more = (*events)->next(record);
    REQUIRE(more);
    if (!*more) return found;
    found.push_back({record.header().time, std::string(record.header().aggregate_id)});
  }
}

/// All of them at the same time, for they are one append.
void append_together(RoomFixture& fixture, const std::vector<std::string>& aggregates) {
  Proposal proposal;
  for (const std::string& aggregate : aggregates) {
    RecordDraft& draft = proposal.events.emplace_back();
    draft.event_id = make_uuid_v7(system_clock());
    draft.aggregate_id = aggregate;
    draft.event_type = "T";
    draft.data = "{}";
    draft.seal();
  }
  REQUIRE(fixture.store().append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
}

SubscribeRequest pulled_from(Timestamp time) {
  SubscribeRequest request = RoomFixture::pulled();
  request.from = StartAt{StartAt::Kind::Time, {}, time};
  return request;
}

/// What it is given, in the order of the log, until there is nothing more.
std::vector<std::string> given(RoomFixture& fixture, const std::string& id, std::size_t count) {
  std::vector<std::string> aggregates;
  while (aggregates.size() < count) {
    const PulledBatch batch = fixture.pull_events(id, 100);
    for (const PulledEvent& event : batch.events) aggregates.emplace_back(event.record->header().aggregate_id);
    REQUIRE(slug_of(fixture.room().ack(id, batch.lease_id, std::nullopt)).empty());
  }
  fixture.wait_done(id);
  CHECK(fixture.status(id).delivered == count);
  return aggregates;
}

}  // namespace

TEST_CASE("SubscriptionStart.ATimeMeansItsFirstRecordAndAllBehindIt") {
  RoomFixture fixture;
  fixture.append("first");
  append_together(fixture, {"tie-1", "tie-2", "tie-3"});
  fixture.append("last");
  const std::vector<StoredEvent> events = stored_events(fixture);
  REQUIRE(events.size() == 5);
  CHECK(events[1].time == events[2].time);
  CHECK(events[2].time == events[3].time);
  const auto behind = [&](Timestamp time) {
    std::vector<std::string> expected;
    for (const StoredEvent& event : events) {
      if (event.time >= time) expected.push_back(event.aggregate);
    }
    return expected;
  };
  // Before all of them, at each, and right behind each.
  std::vector<Timestamp> times{Timestamp{0}, Timestamp{events[0].time.micros - 1}};
  for (const StoredEvent& event : events) {
    times.push_back(event.time);
    if (event.time != events.back().time) times.push_back(Timestamp{event.time.micros + 1});
  }
  for (const Timestamp time : times) {
    CAPTURE(time.micros);
    const std::vector<std::string> expected = behind(time);
    const std::string id = fixture.subscribe(pulled_from(time));
    CHECK(given(fixture, id, expected.size()) == expected);
    REQUIRE(slug_of(fixture.room().remove(id, {})).empty());
  }
}

TEST_CASE("SubscriptionStart.ATimeThatHasNoRecordYetIsNow") {
  RoomFixture fixture;
  fixture.append("before");
  const Timestamp ahead{stored_events(fixture).back().time.micros + 3'600'000'000};
  const std::string id = fixture.subscribe(pulled_from(ahead));
  CHECK(fixture.pull_events(id, 10, std::chrono::milliseconds(0)).events.empty());
  fixture.append("after");
  CHECK(given(fixture, id, 1) == std::vector<std::string>{"after"});
  // A restart does not make anything else of it.
  fixture.reopen();
  fixture.append("later");
  const PulledBatch batch = fixture.pull_events(id, 10);
  REQUIRE(batch.events.size() == 1);
  CHECK(batch.events[0].record->header().aggregate_id == "later");
}
