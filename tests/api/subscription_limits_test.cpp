// What a subscription may take up, as the operator has set it: there it stalls, or goes in smaller steps.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>

#include "tests/api/room_fixture.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

SubscribeRequest one_attempt(OnDeadLetter on_dead_letter) {
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  request.definition.on_dead_letter = on_dead_letter;
  return request;
}

/// At a bound with one event more than there may be: it is active again, and that event comes, once a letter is gone.
void check_stalled_until_a_letter_is_gone(RoomFixture& fixture, const std::string& id) {
  fixture.wait_for_state(id, SubscriptionState::Stalled);
  const SubscriptionStatus stalled = fixture.status(id);
  CHECK(stalled.standing.reason ==
        "as many aggregates are held back, dead letters kept, or events delivered before earlier ones as may be");
  CHECK(stalled.standing.since > stalled.definition.created);
  CHECK(stalled.dead_letters == fixture.room().dead_letters(id, Position{0}, 100).size());
  REQUIRE(slug_of(fixture.room().drop(id, fixture.room().dead_letters(id, Position{0}, 1).front().position)).empty());
  auto again = fixture.sender.next();
  CHECK(again.outline() == "more:1");
  again.answer(200);
  fixture.wait_done(id);
  fixture.wait_for_state(id, SubscriptionState::Active);
  CHECK(fixture.status(id).standing.reason.empty());
}

}  // namespace

TEST_CASE("SubscriptionLimits.AsManyDeadLettersAreKeptAsTheOperatorSays") {
  RoomFixture fixture;
  fixture.limits().dead_letters_max = 2;
  const std::string id = fixture.subscribe(one_attempt(OnDeadLetter::Skip));
  for (const char* aggregate : {"a", "b"}) {
    fixture.append(aggregate);
    fixture.sender.next().answer(500);
  }
  wait_until([&] { return fixture.status(id).dead_letters == 2; });
  CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
  fixture.append("more");
  fixture.sender.next().answer(500);
  check_stalled_until_a_letter_is_gone(fixture, id);
  CHECK(fixture.status(id).dead_letters == 1);
}

TEST_CASE("SubscriptionLimits.AsManyAggregatesAreHeldAsTheOperatorSays") {
  RoomFixture fixture;
  fixture.limits().held_aggregates_max = 2;
  const std::string id = fixture.subscribe(one_attempt(OnDeadLetter::Park));
  for (const char* aggregate : {"a", "b"}) {
    fixture.append(aggregate);
    fixture.sender.next().answer(500);
  }
  wait_until([&] { return fixture.status(id).held_back == 2; });
  CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
  fixture.append("more");
  fixture.sender.next().answer(500);
  check_stalled_until_a_letter_is_gone(fixture, id);
  CHECK(fixture.status(id).held_back == 1);
}

TEST_CASE("SubscriptionLimits.ADeliveryHasAsManyBytesAsTheOperatorSays") {
  RoomFixture fixture;
  fixture.limits().batch_bytes_max = 1'000;  // three events, with what stands around their data
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.batch_events = 100;
  const std::string id = fixture.subscribe(std::move(request));
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  for (int n = 0; n < 9; ++n) fixture.append("m" + std::to_string(n));
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  for (std::size_t delivered = 0; delivered < 9;) {
    auto sent = fixture.sender.next();
    const std::string outline = sent.outline();
    const auto events = static_cast<std::size_t>(std::count(outline.begin(), outline.end(), ':'));
    CHECK(events <= 3);
    delivered += events;
    sent.answer(200);
  }
  fixture.wait_done(id);
}

TEST_CASE("SubscriptionLimits.ThereAreAsManyAsTheOperatorSays") {
  RoomFixture fixture;
  fixture.limits().subscriptions_max = 2;
  const std::string first = fixture.subscribe(RoomFixture::pulled());
  (void)fixture.subscribe(RoomFixture::pulled());
  CHECK(slug_of(fixture.room().create(RoomFixture::pulled(), {})) == "too-many-subscriptions");
  // One that takes another's place is none more, and those that there are stay if there may be fewer.
  SubscribeRequest instead = RoomFixture::pulled();
  instead.replaces = first;
  (void)fixture.subscribe(std::move(instead));
  fixture.limits().subscriptions_max = 1;
  fixture.reopen();
  CHECK(fixture.room().list("", 10).size() == 2);
  CHECK(slug_of(fixture.room().create(RoomFixture::pulled(), {})) == "too-many-subscriptions");
}
