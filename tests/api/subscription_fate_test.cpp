// Where an event stands with a subscription, and what is kept of its receiver's answers.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

struct FateRoom {
  stele::test::FakeClock clock;
  RoomFixture fixture{&clock};

  /// One attempt after another is an hour later at most.
  static SubscribeRequest slow(OnDeadLetter on_dead_letter, std::uint32_t attempts) {
    SubscribeRequest request = RoomFixture::webhook();
    request.definition.initial_delay = request.definition.delay_max = std::chrono::hours(1);
    request.definition.on_dead_letter = on_dead_letter;
    request.definition.attempts_max = attempts;
    return request;
  }
  [[nodiscard]] std::shared_ptr<Record> event(const std::string& aggregate, std::uint64_t sequence) {
    EventQuery query;
    query.aggregate_id = aggregate;
    query.from_sequence = query.to_sequence = SequenceNumber{sequence};
    const auto view = fixture.store().view();
    const auto events = view->query(query);
    REQUIRE(events);
    auto record = std::make_shared<Record>();
    const auto found = (*events)->next(*record);
    REQUIRE(found);
    REQUIRE(*found);
    return record;
  }
  [[nodiscard]] SubscriptionRoom::Fate fate(const std::string& id, const std::string& aggregate,
                                            std::uint64_t sequence) {
    return fixture.room().fate_of(id, *event(aggregate, sequence));
  }
  [[nodiscard]] std::string name(const std::string& id, const std::string& aggregate, std::uint64_t sequence) {
    return std::string(name_of(fate(id, aggregate, sequence).fate));
  }
  void wait_for(const std::string& id, const std::string& aggregate, std::uint64_t sequence,
                const std::string& wanted) {
    CAPTURE(aggregate);
    CAPTURE(wanted);
    wait_until([&] { return name(id, aggregate, sequence) == wanted; });
  }
};

}  // namespace

TEST_CASE("DeliveryFate.FromWaitingToDelivered") {
  FateRoom room;
  RoomFixture& fixture = room.fixture;
  fixture.append("old");
  const std::string id = fixture.subscribe(FateRoom::slow(OnDeadLetter::Skip, 10));
  CHECK(room.name(id, "old", 1) == "before-start");
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  fixture.append("a");
  CHECK(room.name(id, "a", 1) == "waiting");
  CHECK(room.fate(id, "a", 1).attempts.empty());
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  auto first = fixture.sender.next();
  CHECK(room.name(id, "a", 1) == "in-flight");
  fixture.append("a");
  CHECK(room.name(id, "a", 2) == "waiting");  // behind one that is under way

  first.answer(500);
  room.wait_for(id, "a", 1, "retrying");
  room.wait_for(id, "a", 2, "held-back");
  REQUIRE(room.fate(id, "a", 1).attempts.size() == 1);
  CHECK(room.fate(id, "a", 1).attempts[0].status == 500);
  CHECK(room.fate(id, "a", 2).attempts.empty());
  // The other aggregates go on.
  fixture.append("b");
  fixture.sender.next().answer(200);
  room.wait_for(id, "b", 1, "delivered");

  room.clock.wall += 3'600'000'000;
  fixture.wake();
  auto again = fixture.sender.next();
  CHECK(again.outline() == "a:1");
  CHECK(room.name(id, "a", 1) == "in-flight");
  CHECK(room.name(id, "a", 2) == "held-back");
  again.answer(200);
  auto behind = fixture.sender.next();
  CHECK(behind.outline() == "a:2");
  CHECK(room.name(id, "a", 1) == "delivered");
  behind.answer(200);
  room.wait_for(id, "a", 2, "delivered");
  CHECK(room.fate(id, "a", 1).attempts.size() == 2);
  // Once its place was set behind them, it knows nothing of them any more.
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  REQUIRE(slug_of(fixture.room().seek(id, SeekRequest{StartAt{}, false}, {})).empty());
  CHECK(room.name(id, "a", 2) == "before-start");
}

TEST_CASE("DeliveryFate.BehindADeadLetterEventsAreParked") {
  FateRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(FateRoom::slow(OnDeadLetter::Park, 1));
  fixture.append("a");
  auto sent = fixture.sender.next();
  fixture.append("a");
  sent.answer(500);
  room.wait_for(id, "a", 1, "dead-letter");
  room.wait_for(id, "a", 2, "parked");
  fixture.append("a");
  CHECK(room.name(id, "a", 3) == "parked");
  REQUIRE(slug_of(fixture.room().drop(id, fixture.room().dead_letters(id, Position{0}, 1)[0].position)).empty());
  fixture.sender.next().answer(200);
  fixture.sender.next().answer(200);
  room.wait_for(id, "a", 3, "delivered");
}

TEST_CASE("DeliveryTrace.OfAnAnswerTheFirstKibibyteIsKept") {
  FateRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(FateRoom::slow(OnDeadLetter::Skip, 2));
  const std::string body = std::string(1'000, 'a') + std::string(24, 'b') + std::string(5'000, 'c');
  fixture.append("a");
  fixture.sender.next().answer(500, body);
  room.wait_for(id, "a", 1, "retrying");
  CHECK(room.fate(id, "a", 1).attempts[0].answer == body.substr(0, 1'024));
  room.clock.wall += 3'600'000'000;
  fixture.wake();
  fixture.sender.next().answer(200, "short");
  room.wait_for(id, "a", 1, "delivered");
  const auto attempts = fixture.room().attempts(id);
  REQUIRE(attempts.size() == 2);
  CHECK(attempts[0].answer == body.substr(0, 1'024));
  CHECK(attempts[1].answer == "short");
  CHECK(attempts[1].delivered);
  CHECK(attempts[1].attempt == 2);
}
