// What a subscription does when, by a clock that the test sets: pauses, rates, and what is kept and told now and then.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>

#include "api/subscriptions/subscription_log.h"
#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

struct TimedRoom {
  stele::test::FakeClock clock;
  RoomFixture fixture{&clock};

  /// That much later every subscription looks at the clock.
  void later(std::chrono::microseconds time) {
    clock.wall += time.count();
    fixture.wake();
  }
  [[nodiscard]] std::int64_t seconds() const { return clock.wall.load() / 1'000'000; }
  [[nodiscard]] static std::int64_t sent_at(const TestSender::Sent& sent) {
    return std::stoll(sent.header("webhook-timestamp"));
  }
};

/// Another subscription, to know that what there is has been handed to all.
class Witness {
 public:
  explicit Witness(RoomFixture& fixture) : fixture_(fixture), id_(fixture.subscribe(RoomFixture::pulled())) {}
  void wait_for(std::size_t events) {
    while (seen_ < events) {
      const PulledBatch batch = fixture_.pull_events(id_, 100);
      seen_ += batch.events.size();
      REQUIRE(slug_of(fixture_.room().ack(id_, batch.lease_id, std::nullopt)).empty());
    }
  }

 private:
  RoomFixture& fixture_;
  const std::string id_;
  std::size_t seen_ = 0;
};

}  // namespace

TEST_CASE("SubscriptionRoom.WhatAReceiverAsksToWaitHoldsForAllItsEvents") {
  TimedRoom room;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.delay_max = std::chrono::hours(1);
  const std::string id = room.fixture.subscribe(std::move(request));
  Witness witness(room.fixture);
  room.fixture.append("a");
  WebhookAnswer busy;
  busy.outcome = WebhookAnswer::Outcome::Answered;
  busy.status = 429;
  busy.retry_after = std::chrono::seconds(30);
  room.fixture.sender.next().done(busy);
  wait_until([&] { return room.fixture.status(id).failures == 1; });
  const std::int64_t asked_at = room.seconds();
  room.fixture.append("b");
  witness.wait_for(2);
  room.later(std::chrono::milliseconds(29'999));
  room.fixture.append("c");
  witness.wait_for(3);
  CHECK(room.fixture.sender.waiting() == 0);
  room.later(std::chrono::milliseconds(1));
  std::set<std::string> left{"a:1", "b:1", "c:1"};
  while (!left.empty()) {
    auto sent = room.fixture.sender.next();
    CHECK(left.erase(sent.outline()) == 1);
    CHECK(TimedRoom::sent_at(sent) == asked_at + 30);
    sent.answer(200);
  }
  room.fixture.wait_done(id);
  CHECK(room.fixture.status(id).failures == 1);
}

TEST_CASE("SubscriptionRoom.NoMoreEventsASecondAreSentThanMayBe") {
  TimedRoom room;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.per_second_max = 2;
  SUBCASE("one by one") {}
  SUBCASE("in batches") { request.definition.batch_events = 10; }
  const std::string id = room.fixture.subscribe(std::move(request));
  Witness witness(room.fixture);
  for (int i = 0; i < 5; ++i) room.fixture.append("a" + std::to_string(i));
  witness.wait_for(5);
  std::map<std::int64_t, std::uint64_t> in_a_second;
  for (std::uint64_t delivered = 0; delivered < 5;) {
    if (delivered == 2 || delivered == 4) {
      CHECK(room.fixture.sender.waiting() == 0);
      room.later(std::chrono::seconds(1));
    }
    auto sent = room.fixture.sender.next();
    const std::string outline = sent.outline();
    const std::uint64_t events = 1 + static_cast<std::uint64_t>(std::count(outline.begin(), outline.end(), ' '));
    in_a_second[TimedRoom::sent_at(sent)] += events;
    delivered += events;
    sent.answer(200);
    wait_until([&] { return room.fixture.status(id).delivered == delivered; });
  }
  CHECK(in_a_second.size() == 3);
  for (const auto& [second, events] : in_a_second) CHECK(events <= 2);
  room.fixture.wait_done(id);
}

TEST_CASE("SubscriptionRoom.AfterTenSecondsTheWatermarkMovesWithoutMatches") {
  TimedRoom room;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.event_types = {"Rare"};
  const std::string id = room.fixture.subscribe(std::move(request));
  // As time passes faster than the follower may read, an hour may be over, of which the log is told behind the event.
  SubscriptionStatus status;
  for (int round = 0; round < 3; ++round) {
    room.fixture.append("a", "Common");
    wait_until([&] {
      room.later(std::chrono::seconds(10));
      status = room.fixture.status(id);
      return status.end == room.fixture.store().durable_end();
    });
    Record newest;
    REQUIRE(room.fixture.store().view()->read(Position{status.end.value() - 1}, newest));
    CHECK(status.end_time == newest.header().time);
  }
  // It is not lost with the process.
  room.fixture.reopen();
  CHECK(room.fixture.status(id).end >= status.end);
}

TEST_CASE("SubscriptionRoom.TheLogIsToldOfThePlaceOnceAnHour") {
  TimedRoom room;
  const std::string id = room.fixture.subscribe(RoomFixture::webhook());
  const auto deliver = [&] {
    room.fixture.append("a");
    room.fixture.sender.next().answer(200);
    room.fixture.wait_done(id);
  };
  const auto told = [&] { return room.fixture.logged(subscription_event::kCheckpoint); };
  deliver();
  for (std::size_t hour = 1; hour <= 2; ++hour) {
    room.later(std::chrono::minutes(59));
    deliver();
    CHECK(told() == hour - 1);
    room.later(std::chrono::minutes(1));
    wait_until([&] { return told() == hour; });
  }
  // Where nothing was delivered there is nothing to tell.
  room.later(std::chrono::hours(2));
  room.fixture.wait_done(id);
  CHECK(told() == 2);
  // If the files of deliveries are lost it goes on there.
  const Position end = room.fixture.store().durable_end();
  room.fixture.close();
  std::filesystem::remove_all(room.fixture.folder() + "/data/deliveries");
  room.fixture.open();
  CHECK(room.fixture.status(id).end.value() + 2 >= end.value());
  room.fixture.wait_done(id);
  CHECK(room.fixture.sender.waiting() == 0);
}

TEST_CASE("SubscriptionRoom.StatesThatComeByThemselvesAreLoggedOnceAMinute") {
  TimedRoom room;
  const std::string id = room.fixture.subscribe(RoomFixture::webhook());
  Witness witness(room.fixture);
  const auto told = [&] { return room.fixture.logged(subscription_event::kStateChanged); };
  const auto stop = [&] {
    auto sent = room.fixture.sender.next();
    CHECK(sent.outline() == "a:1");
    sent.answer(410);
    room.fixture.wait_for_state(id, SubscriptionState::Stopped);
  };
  room.fixture.append("a");
  stop();
  wait_until([&] { return told() == 1; });
  // What somebody does is told at once.
  REQUIRE(slug_of(room.fixture.room().resume(id, {})).empty());
  CHECK(told() == 2);
  stop();
  room.later(std::chrono::milliseconds(59'999));
  room.fixture.append("b");
  witness.wait_for(2);
  CHECK(told() == 2);
  room.later(std::chrono::milliseconds(1));
  wait_until([&] { return told() == 3; });
  room.fixture.reopen();
  CHECK(room.fixture.status(id).standing.state == SubscriptionState::Stopped);
}

TEST_CASE("SubscriptionRoom.AStateIsSinceWhenItCameWheneverTheLogWasToldOfIt") {
  TimedRoom room;
  const std::string id = room.fixture.subscribe(RoomFixture::webhook());
  Witness witness(room.fixture);
  const auto told = [&] { return room.fixture.logged(subscription_event::kStateChanged); };
  const auto stop = [&] {
    room.fixture.sender.next().answer(410);
    room.fixture.wait_for_state(id, SubscriptionState::Stopped);
    return room.fixture.status(id).standing.since;
  };
  room.fixture.append("a");
  CHECK(stop() == room.clock.now());
  wait_until([&] { return told() == 1; });
  REQUIRE(slug_of(room.fixture.room().resume(id, {})).empty());
  room.later(std::chrono::seconds(20));
  const Timestamp since = stop();
  CHECK(since == room.clock.now());
  SUBCASE("a minute after the time before") {
    room.later(std::chrono::seconds(40));
    wait_until([&] { return told() == 3; });
  }
  SUBCASE("at the end of the server") { CHECK(told() == 2); }
  room.later(std::chrono::seconds(5));
  room.fixture.reopen();
  CHECK(told() == 3);
  CHECK(room.fixture.status(id).standing.state == SubscriptionState::Stopped);
  CHECK(room.fixture.status(id).standing.since == since);
  room.fixture.reopen();
  CHECK(told() == 3);
  CHECK(room.fixture.status(id).standing.since == since);
}

// What it tells of itself and what somebody does to it come one after the other: otherwise the log's last word may be
// an older one, until it is told again.
TEST_CASE("SubscriptionRoom.TheLogHasStatesInTheirOrder") {
  SimulatedFileSystem disk(1);
  stele::test::FakeClock clock;
  RoomFixture room(&clock, nullptr, &disk);
  const std::string id = room.subscribe(RoomFixture::webhook());
  std::mt19937_64 random(1);
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; ++round) {
    clock.wall += 60'000'000;
    room.append("a");
    room.sender.next().answer(410);
    const auto is_stopped = [&] { return room.status(id).standing.state == SubscriptionState::Stopped; };
    // Without a pause, to come when it is just told.
    for (int looks = 0; !is_stopped(); ++looks) REQUIRE(looks < 100'000'000);
    for (std::uint64_t looks = random() % 256; looks > 0; --looks) CHECK(is_stopped());
    REQUIRE(slug_of(room.room().resume(id, {})).empty());
  }
  room.reopen();
  CHECK(room.status(id).standing.state == SubscriptionState::Active);
  int active = 0, stopped = 0;
  for (const std::string& data : room.logged_data(subscription_event::kStateChanged)) {
    active += data.find(R"("state":"active")") != std::string::npos;
    stopped += data.find(R"("state":"stopped")") != std::string::npos;
  }
  CHECK(active == kRounds);
  CHECK(stopped > 0);
}
