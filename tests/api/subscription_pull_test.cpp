// Subscriptions whose consumers come for their events.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
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

std::string batch_outline(const PulledBatch& batch) {
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
  CHECK(batch_outline(next) == "a:2");
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, taken.at("a").event)) == "invalid-request");
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::vector{next.events[0].record->header().event_id})).empty());
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::nullopt)) == "lease-expired");
  CHECK(acknowledge("b").empty());
  const Taken& c = taken.at("c");
  CHECK(slug_of(fixture.room().nack(id, c.lease, c.event, std::chrono::milliseconds(0))).empty());
  const PulledBatch again = fixture.pull_events(id, 2);
  CHECK(batch_outline(again) == "c:1x2");
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
  CHECK(batch_outline(lost) == "a:1");
  const PulledBatch again = fixture.pull_events(id, 1);
  CHECK(batch_outline(again) == "a:1x2");
  CHECK(slug_of(fixture.room().ack(id, lost.lease_id, std::nullopt)) == "lease-expired");
  CHECK(slug_of(fixture.room().extend(id, again.lease_id, std::chrono::seconds(90))).empty());
  CHECK(slug_of(fixture.room().ack(id, again.lease_id, std::nullopt)).empty());
  const PulledBatch next = fixture.pull_events(id, 1);
  CHECK(batch_outline(next) == "a:2");
  // Nobody knows a lease after a restart; what it was for comes again.
  fixture.reopen();
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::nullopt)) == "lease-expired");
  CHECK(batch_outline(fixture.pull_events(id, 1)) == "a:2");
}

TEST_CASE("SubscriptionRoom.Pull.AChangeInterruptsNoLease") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  fixture.append("a");
  fixture.append("a");
  const PulledBatch leased = fixture.pull_events(id, 1);
  CHECK(batch_outline(leased) == "a:1");
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
  CHECK(batch_outline(fixture.pull_events(id, 10, std::chrono::milliseconds(0))).empty());
  CHECK(fixture.status(id).in_flight == 1);
  CHECK(slug_of(fixture.room().ack(id, leased.lease_id, std::nullopt)).empty());
  const PulledBatch next = fixture.pull_events(id, 10);
  CHECK(batch_outline(next) == "a:2");
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::nullopt)).empty());
  fixture.wait_done(id);
  CHECK(fixture.status(id).delivered == 2);
}

TEST_CASE("SubscriptionRoom.Pull.AChangeHoldsOnceTheLastLeaseIsOver") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  fixture.append("a", "T");
  CHECK(batch_outline(fixture.pull_events(id, 1, std::chrono::seconds(60), std::chrono::seconds(60))) == "a:1");
  ChangeRequest change;
  change.definition = fixture.status(id).definition;
  change.definition.event_types = {"U"};
  REQUIRE(slug_of(fixture.room().change(id, std::move(change), {})).empty());
  fixture.append("b", "U");
  CHECK(batch_outline(fixture.pull_events(id, 1, std::chrono::milliseconds(0))).empty());
  std::promise<std::string> given;
  fixture.room().pull(
      id, 10, std::chrono::seconds(600), std::chrono::seconds(60), [] { return false; },
      [&](std::variant<PulledBatch, Problem> pulled) {
        given.set_value(batch_outline(std::get<PulledBatch>(pulled)));
      });
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

TEST_CASE("SubscriptionRoom.Pull.WhoComesTooLateIsToldSoAndItWasAnAttempt") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  fixture.append("a");
  const auto seconds = [](int count) { return std::chrono::seconds(count); };
  std::uint32_t attempts = 0;
  const auto too_late = [&](auto answer) {
    const PulledBatch batch = fixture.pull_events(id, 1, seconds(600), seconds(60));
    REQUIRE(batch.events.size() == 1);
    CHECK(batch.events[0].delivery_count == ++attempts);
    clock.wall += 60'000'000;
    // Whoever comes first after its end finds out, and nobody else has looked at the clock.
    CHECK(slug_of(answer(batch.lease_id)) == "lease-expired");
    CHECK(slug_of(answer(batch.lease_id)) == "lease-expired");
    CHECK(fixture.status(id).failures == attempts);
    CHECK(fixture.status(id).in_flight == 0);
    REQUIRE(fixture.status(id).last_error);
    CHECK(fixture.status(id).last_error->error == "lease-expired");
    clock.wall += 1'000;  // the longest delay until it is given to somebody again
    fixture.wake();
  };
  too_late([&](const std::string& lease) { return fixture.room().ack(id, lease, std::nullopt); });
  too_late([&](const std::string& lease) { return fixture.room().nack(id, lease, std::nullopt, std::nullopt); });
  too_late([&](const std::string& lease) { return fixture.room().extend(id, lease, seconds(60)); });
  // Extended in time it is a lease as long as that says.
  const PulledBatch kept = fixture.pull_events(id, 1, seconds(600), seconds(60));
  clock.wall += 59'999'999;
  REQUIRE(slug_of(fixture.room().extend(id, kept.lease_id, seconds(60))).empty());
  clock.wall += 59'999'999;
  CHECK(slug_of(fixture.room().ack(id, kept.lease_id, std::nullopt)).empty());
  fixture.wait_done(id);
  CHECK(fixture.status(id).delivered == 1);
  CHECK(fixture.status(id).failures == 3);
}

TEST_CASE("SubscriptionRoom.Pull.WhatNobodyTakesIsADeadLetterInTheEnd") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  SubscribeRequest request = RoomFixture::pulled();
  request.definition.attempts_max = 3;
  bool is_parked = false;
  SUBCASE("and what is behind it goes on") {}
  SUBCASE("and what is behind it waits") {
    request.definition.on_dead_letter = OnDeadLetter::Park;
    is_parked = true;
  }
  const std::string id = fixture.subscribe(std::move(request));
  fixture.append("a");
  fixture.append("a");
  for (const char* expected : {"a:1", "a:1x2", "a:1x3"}) {
    const PulledBatch batch = fixture.pull_events(id, 1, std::chrono::seconds(600), std::chrono::seconds(60));
    CHECK(batch_outline(batch) == expected);
    if (batch.events[0].delivery_count == 2) {
      clock.wall += 60'000'000;  // a lease that runs out counts as well
      fixture.wake();
      wait_until([&] { return fixture.status(id).in_flight == 0; });
    } else {
      REQUIRE(slug_of(fixture.room().nack(id, batch.lease_id, std::nullopt, std::nullopt)).empty());
    }
    clock.wall += 1'000;
    fixture.wake();
  }
  wait_until([&] { return fixture.status(id).dead_letters == 1; });
  const auto letters = fixture.room().dead_letters(id, Position{0}, 10);
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].letter.attempts == 3);
  CHECK(letters[0].letter.error == "nacked");
  if (is_parked) {
    CHECK(batch_outline(fixture.pull_events(id, 1, std::chrono::milliseconds(0))).empty());
    REQUIRE(slug_of(fixture.room().drop(id, letters[0].position)).empty());
  }
  const PulledBatch next = fixture.pull_events(id, 1, std::chrono::seconds(600));
  CHECK(batch_outline(next) == "a:2");
  CHECK(slug_of(fixture.room().ack(id, next.lease_id, std::nullopt)).empty());
}

TEST_CASE("SubscriptionRoom.Pull.WhoGivesItBackSaysForHowLong") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  SubscribeRequest request = RoomFixture::pulled();
  request.definition.delay_max = std::chrono::hours(1);
  const std::string id = fixture.subscribe(std::move(request));
  fixture.append("a");
  const auto give_back = [&](std::chrono::milliseconds delay) {
    const PulledBatch batch = fixture.pull_events(id, 1, std::chrono::seconds(600));
    REQUIRE(batch.events.size() == 1);
    REQUIRE(slug_of(fixture.room().nack(id, batch.lease_id, std::nullopt, delay)).empty());
    const auto held = fixture.room().held(id, "", 10);
    REQUIRE(held.size() == 1);
    return std::chrono::microseconds(held[0].held.not_before.micros - clock.wall.load());
  };
  CHECK(give_back(std::chrono::minutes(10)) == std::chrono::minutes(10));
  // Others are given meanwhile.
  fixture.append("b");
  const PulledBatch other = fixture.pull_events(id, 10, std::chrono::seconds(60));
  CHECK(batch_outline(other) == "b:1");
  REQUIRE(slug_of(fixture.room().ack(id, other.lease_id, std::nullopt)).empty());
  clock.wall += std::chrono::microseconds(std::chrono::minutes(10)).count() - 1;
  fixture.wake();
  CHECK(batch_outline(fixture.pull_events(id, 1, std::chrono::milliseconds(0))).empty());
  clock.wall += 1;
  fixture.wake();
  // Not longer than the longest delay, and not at all if that is asked for.
  CHECK(give_back(std::chrono::hours(24)) == std::chrono::hours(1));
  clock.wall += std::chrono::microseconds(std::chrono::hours(1)).count();
  fixture.wake();
  CHECK(give_back(std::chrono::milliseconds(0)) == std::chrono::milliseconds(0));
  const PulledBatch last = fixture.pull_events(id, 1, std::chrono::seconds(600));
  CHECK(batch_outline(last) == "a:1x4");
  CHECK(slug_of(fixture.room().ack(id, last.lease_id, std::nullopt)).empty());
  fixture.wait_done(id);
}
