// Dead letters that the log was not told of yet, since it is told of them now and then: they outlive the files of
// deliveries all the same, or their events come again.

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/subscriptions/subscription_event.h"
#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

/// Of a clock that stands still, so that nothing is told unless the test has it go on.
struct LettersRoom {
  stele::test::FakeClock clock;
  RoomFixture fixture{&clock};

  /// Of an aggregate of that name an event that is given up.
  void give_up(const std::string& id, const std::string& aggregate) {
    const std::size_t before = letters(id).size();
    fixture.append(aggregate);
    fixture.sender.next().answer(500);
    wait_until([&] { return letters(id).size() == before + 1; });
  }
  void tell_log() {
    const std::size_t before = told();
    clock.wall += 1'000'000;
    fixture.wake();
    wait_until([&] { return told() > before; });
  }
  [[nodiscard]] std::size_t told() { return fixture.logged(subscription_event::kDeadLetters); }
  [[nodiscard]] std::vector<ListedDeadLetter> letters(const std::string& id) {
    return fixture.room().dead_letters(id, Position{0}, 100);
  }
  void lose_files() {
    fixture.close();
    REQUIRE(std::filesystem::remove_all(fixture.folder() + "/data/deliveries") > 0);
    fixture.open();
  }
};

SubscribeRequest given_up_at_once() {
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  request.definition.batch_events = 1;
  return request;
}

}  // namespace

TEST_CASE("SubscriptionLetters.WhatWasNotToldBeforeAPauseComesAgain") {
  LettersRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(given_up_at_once());
  room.give_up(id, "a");
  fixture.append("b");
  fixture.sender.next().answer(200);
  fixture.wait_done(id);
  REQUIRE(room.told() == 0);
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  room.lose_files();
  CHECK(room.letters(id).empty());
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1");
  sent.answer(500);
  wait_until([&] { return room.letters(id).size() == 1; });
}

TEST_CASE("SubscriptionLetters.OneThatIsGivenUpRightAfterItWasDeliveredIsKnown") {
  LettersRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(given_up_at_once());
  room.give_up(id, "a");
  room.tell_log();
  REQUIRE(slug_of(fixture.room().redrive(id, {}, 0, false, [] { return false; })).empty());
  fixture.sender.next().answer(200);
  wait_until([&] { return room.letters(id).empty(); });
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  REQUIRE(slug_of(fixture.room().seek(id, {.from = {StartAt::Kind::Beginning, {}, {}}}, {})).empty());
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  fixture.sender.next().answer(503);
  wait_until([&] { return room.letters(id).size() == 1; });
  room.tell_log();
  room.lose_files();
  const auto letters = room.letters(id);
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].letter.status == 503);
}

TEST_CASE("SubscriptionLetters.OneThatIsGivenUpWhileTheSubscriptionIsChangedIsTold") {
  LettersRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(given_up_at_once());
  fixture.append("a");
  auto sent = fixture.sender.next();
  ChangeRequest change;
  change.definition = fixture.status(id).definition;
  change.definition.url = "https://other.example/";
  REQUIRE(slug_of(fixture.room().change(id, std::move(change), {})).empty());
  sent.answer(500);
  wait_until([&] { return room.letters(id).size() == 1; });
  room.tell_log();
  room.lose_files();
  CHECK(room.letters(id).size() == 1);
}

TEST_CASE("SubscriptionLetters.AReplacementHasThemThoughTheFilesAreLostAtOnce") {
  LettersRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string old = fixture.subscribe(given_up_at_once());
  room.give_up(old, "a");
  fixture.append("b");
  fixture.sender.next().answer(200);
  fixture.wait_done(old);
  SubscribeRequest request = given_up_at_once();
  request.replaces = old;
  const std::string id = fixture.subscribe(std::move(request));
  room.lose_files();
  CHECK(room.letters(id).size() == 1);
  // And it goes on behind what the other has delivered.
  fixture.append("c");
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "c:1");
  sent.answer(200);
  fixture.wait_done(id);
}
