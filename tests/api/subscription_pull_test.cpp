// Subscriptions whose consumers come for their events.

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

std::string outline(const PulledBatch& batch) {
  std::string text;
  for (const PulledEvent& event : batch.events) {
    const RecordHeader& header = event.record->header();
    if (!text.empty()) text += ' ';
    text += std::string(header.aggregate_id) + ":" + std::to_string(header.sequence.value());
    if (event.delivery_count > 1) text += "x" + std::to_string(event.delivery_count);
  }
  return text;
}

}  // namespace

TEST_CASE("SubscriptionRoom.Pull.ConsumersGetDifferentEventsAndAcknowledgeThem") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  CHECK(fixture.pull_events(id, 10, std::chrono::milliseconds(0)).events.empty());
  for (const char* aggregate : {"a", "b", "a", "c"}) fixture.append(aggregate);
  struct Taken {
    std::string lease;
    std::vector<Uuid> event;
  };
  std::map<std::string, Taken> taken;
  // A pull is answered with what there is, which may be one event of several that are to come.
  while (taken.size() < 3) {
    const PulledBatch batch = fixture.pull_events(id, 2);
    REQUIRE(!batch.events.empty());
    CHECK(batch.events.size() <= 2);
    for (const PulledEvent& event : batch.events) {
      const RecordHeader& header = event.record->header();
      CHECK(header.sequence.value() == 1);
      CHECK(event.delivery_count == 1);
      const Taken mine{batch.lease_id, {header.event_id}};
      CHECK(taken.emplace(std::string(header.aggregate_id), mine).second);
    }
  }
  CHECK(fixture.status(id).in_flight == 3);
  const auto acknowledge = [&](const std::string& aggregate) {
    return slug_of(fixture.room().ack(id, taken.at(aggregate).lease, taken.at(aggregate).event));
  };
  CHECK(acknowledge("a").empty());
  const PulledBatch next = fixture.pull_events(id, 2);
  CHECK(outline(next) == "a:2");
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, taken.at("a").event)) == "invalid-request");
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::vector{next.events[0].record->header().event_id})).empty());
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::nullopt)) == "lease-expired");
  CHECK(acknowledge("b").empty());
  const Taken& c = taken.at("c");
  CHECK(slug_of(fixture.room().nack(id, c.lease, c.event, std::chrono::milliseconds(0))).empty());
  const PulledBatch again = fixture.pull_events(id, 2);
  CHECK(outline(again) == "c:1x2");
  CHECK(slug_of(fixture.room().ack(id, again.lease_id, std::nullopt)).empty());
  fixture.wait_done(id);
  CHECK(fixture.status(id).delivered == 4);
}

TEST_CASE("SubscriptionRoom.Pull.WhatIsNotAcknowledgedInTimeComesAgain") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  fixture.append("a");
  fixture.append("a");
  const PulledBatch lost = fixture.pull_events(id, 1, std::chrono::seconds(60), std::chrono::milliseconds(1));
  CHECK(outline(lost) == "a:1");
  const PulledBatch again = fixture.pull_events(id, 1);
  CHECK(outline(again) == "a:1x2");
  CHECK(slug_of(fixture.room().ack(id, lost.lease_id, std::nullopt)) == "lease-expired");
  CHECK(slug_of(fixture.room().extend(id, again.lease_id, std::chrono::seconds(90))).empty());
  CHECK(slug_of(fixture.room().ack(id, again.lease_id, std::nullopt)).empty());
  const PulledBatch next = fixture.pull_events(id, 1);
  CHECK(outline(next) == "a:2");
  // Nobody knows a lease after a restart; what it was for comes again.
  fixture.reopen();
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::nullopt)) == "lease-expired");
  CHECK(outline(fixture.pull_events(id, 1)) == "a:2");
}

TEST_CASE("SubscriptionRoom.Pull.AChangeInterruptsNoLease") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  fixture.append("a");
  fixture.append("a");
  const PulledBatch leased = fixture.pull_events(id, 1);
  CHECK(outline(leased) == "a:1");
  SUBCASE("a change") {
    ChangeRequest change;
    change.definition = fixture.status(id).definition;
    change.definition.attempts_max = 3;
    REQUIRE(slug_of(fixture.room().change(id, std::move(change), {})).empty());
  }
  SUBCASE("a pause") {
    REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
    REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  }
  CHECK(outline(fixture.pull_events(id, 10, std::chrono::milliseconds(0))).empty());
  CHECK(fixture.status(id).in_flight == 1);
  CHECK(slug_of(fixture.room().ack(id, leased.lease_id, std::nullopt)).empty());
  const PulledBatch next = fixture.pull_events(id, 10);
  CHECK(outline(next) == "a:2");
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::nullopt)).empty());
  fixture.wait_done(id);
  CHECK(fixture.status(id).delivered == 2);
}

TEST_CASE("SubscriptionRoom.Pull.AChangeHoldsOnceTheLastLeaseIsOver") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  fixture.append("a", "T");
  CHECK(outline(fixture.pull_events(id, 1, std::chrono::seconds(60), std::chrono::seconds(60))) == "a:1");
  ChangeRequest change;
  change.definition = fixture.status(id).definition;
  change.definition.event_types = {"U"};
  REQUIRE(slug_of(fixture.room().change(id, std::move(change), {})).empty());
  fixture.append("b", "U");
  CHECK(outline(fixture.pull_events(id, 1, std::chrono::milliseconds(0))).empty());
  std::promise<std::string> given;
  fixture.room().pull(
      id, 10, std::chrono::seconds(600), std::chrono::seconds(60), [] { return false; },
      [&](std::variant<PulledBatch, Problem> pulled) { given.set_value(outline(std::get<PulledBatch>(pulled))); });
  clock.wall += 60'000'000;
  fixture.wake();
  CHECK(given.get_future().get() == "b:1");
}

TEST_CASE("SubscriptionRoom.Pull.WhoeverWaitsIsAnsweredInTheEnd") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  std::promise<std::string> answered;
  fixture.room().pull(
      id, 1, std::chrono::seconds(600), std::chrono::seconds(30), [] { return false; },
      [&](std::variant<PulledBatch, Problem> pulled) { answered.set_value(slug_of(pulled)); });
  CHECK(slug_of(fixture.room().remove(id, {})).empty());
  CHECK(answered.get_future().get() == "subscription-not-found");

  const std::string other = fixture.subscribe(RoomFixture::pulled());
  REQUIRE(slug_of(fixture.room().pause(other, {})).empty());
  CHECK(slug_of(fixture.pull(other, 1)) == "subscription-not-active");
  CHECK(slug_of(fixture.pull(fixture.subscribe(RoomFixture::webhook()), 1)) == "other-delivery-kind");
}

TEST_CASE("SubscriptionRoom.Pull.WhoWaitsAtTheEndOfTheServerGetsNothing") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  std::promise<std::string> answered;
  fixture.room().pull(
      id, 1, std::chrono::seconds(600), std::chrono::seconds(30), [] { return false; },
      [&](std::variant<PulledBatch, Problem> pulled) { answered.set_value(slug_of(pulled)); });
  fixture.room().begin_shutdown();
  CHECK(answered.get_future().get().empty());
}
