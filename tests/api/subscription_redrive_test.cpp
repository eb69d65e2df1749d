// Dead letters that are tried once more, and events that are given up once more.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

/// One attempt for each event.
std::string subscribe_without_retries(RoomFixture& fixture) {
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  return fixture.subscribe(std::move(request));
}

void redrive_all(RoomFixture& fixture, const std::string& id, std::uint32_t per_second = 0) {
  REQUIRE(slug_of(fixture.room().redrive(id, {}, per_second, false, [] { return false; })).empty());
}

}  // namespace

TEST_CASE("SubscriptionRoom.ARedriveKeepsTheOrderOfAnAggregateAndHasIdsOfItsOwn") {
  RoomFixture fixture;
  const std::string id = subscribe_without_retries(fixture);
  for (const char* aggregate : {"a", "a", "b"}) fixture.append(aggregate);
  std::set<std::string> ids;
  const auto next = [&] {
    auto sent = fixture.sender.next();
    CAPTURE(sent.outline());
    CHECK(ids.insert(sent.id()).second);
    return sent;
  };
  for (int i = 0; i < 3; ++i) next().answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 3; });
  for (int round = 0; round < 2; ++round) {
    const bool succeeds = round == 1;
    redrive_all(fixture, id);
    auto first = next();
    CHECK(first.outline() == "a:1");
    // What comes next of another aggregate overtakes what waits for its turn.
    auto other = next();
    CHECK(other.outline() == "b:1");
    CHECK(fixture.sender.waiting() == 0);
    first.answer(succeeds ? 200 : 500);
    auto second = next();
    CHECK(second.outline() == "a:2");
    second.answer(succeeds ? 200 : 500);
    other.answer(succeeds ? 200 : 500);
    const std::size_t left = succeeds ? 0 : 3;
    wait_until([&] { return fixture.status(id).in_flight == 0 && fixture.status(id).dead_letters == left; });
  }
}

TEST_CASE("SubscriptionRoom.ARedriveIsAsSlowAsItIsAskedToBe") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  const std::string id = subscribe_without_retries(fixture);
  for (const char* aggregate : {"a", "b", "c", "d", "e"}) fixture.append(aggregate);
  for (int i = 0; i < 5; ++i) fixture.sender.next().answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 5; });
  redrive_all(fixture, id, 2);
  std::map<std::string, int> in_a_second;
  for (std::uint64_t sent = 0; sent < 5; ++sent) {
    if (sent == 2 || sent == 4) {
      CHECK(fixture.sender.waiting() == 0);
      clock.wall += 1'000'000;
      fixture.wake();
    }
    auto one = fixture.sender.next();
    ++in_a_second[one.header("webhook-timestamp")];
    one.answer(200);
    wait_until([&] { return fixture.status(id).dead_letters == 4 - sent; });
  }
  CHECK(in_a_second.size() == 3);
  for (const auto& [second, count] : in_a_second) CHECK(count <= 2);
}

TEST_CASE("SubscriptionRoom.AnEventIsInTheDeadLettersOnceHoweverOftenItIsGivenUp") {
  RoomFixture fixture;
  const std::string id = subscribe_without_retries(fixture);
  fixture.append("a");
  fixture.sender.next().answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 1; });
  const ListedDeadLetter first = fixture.room().dead_letters(id, Position{0}, 10).at(0);
  const auto seek_back = [&] {
    REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
    REQUIRE(slug_of(fixture.room().seek(id, {.from = {StartAt::Kind::Beginning, {}, {}}}, {})).empty());
    REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  };
  seek_back();
  CHECK(fixture.status(id).dead_letters == 1);
  fixture.sender.next().answer(503);
  wait_until([&] { return fixture.status(id).failures == 2; });
  fixture.wait_done(id);
  auto letters = fixture.room().dead_letters(id, Position{0}, 10);
  REQUIRE(letters.size() == 1);
  CHECK(letters.front().position == first.position);
  CHECK(letters.front().letter.status == 503);
  CHECK(fixture.status(id).dead_letters == 1);
  fixture.reopen();
  CHECK(fixture.room().dead_letters(id, Position{0}, 10).size() == 1);
  // What was delivered in the end is none.
  seek_back();
  fixture.sender.next().answer(200);
  wait_until([&] { return fixture.status(id).dead_letters == 0; });
}
