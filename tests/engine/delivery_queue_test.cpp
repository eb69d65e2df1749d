// Single decisions of the queue. That nothing is lost or out of order, whatever happens, is tested by
// tests/crash/delivery_crash_test.cpp.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/deliveries/delivery_queue.h"

namespace stele {
namespace {

using namespace std::chrono_literals;
using Kind = DeliveryFailure::Kind;

struct Receiver {
  explicit Receiver(DeliverySettings given = {}) : settings(given), queue(settings, DeliveryState{}, 1) {}

  void offer(std::uint64_t position, const std::string& aggregate, std::size_t bytes = 100) {
    queue.offer(Position{position}, Timestamp{static_cast<std::int64_t>(position)}, aggregate, bytes);
  }
  /// Positions of what is taken; empty = nothing.
  std::vector<std::uint64_t> take() {
    std::vector<std::uint64_t> positions;
    if (const auto attempt = queue.take(now)) {
      number = attempt->number;
      for (const Position position : attempt->positions) positions.push_back(position.value());
    }
    return positions;
  }
  void fail(Kind kind = Kind::Retry) { queue.failed(number, {.kind = kind, .error = "status", .status = 500}, now); }
  void accept() { queue.delivered(number, {}, now); }
  /// What a held aggregate has next.
  void look(std::optional<std::uint64_t> found) {
    const auto look = queue.next_look(now);
    REQUIRE(look);
    queue.looked(*look, queue.read_end(), found ? std::optional(Position{*found}) : std::nullopt);
  }
  void later(std::chrono::milliseconds time = 1h) { now.micros += std::chrono::microseconds(time).count(); }

  DeliverySettings settings;
  Timestamp now{1'000'000};
  DeliveryQueue queue;
  BatchNumber number;
};

using Positions = std::vector<std::uint64_t>;

/// Events of three aggregates: there is room for the failure of the first, and none for that of the second.
void fail_beyond_bound(Receiver& receiver) {
  receiver.offer(0, "a");
  receiver.offer(1, "b");
  receiver.offer(2, "c");
  CHECK(receiver.take() == Positions{0});
  receiver.fail();
  CHECK_FALSE(receiver.queue.stalled());
  CHECK(receiver.take() == Positions{1});
  receiver.fail();
  CHECK(receiver.queue.stalled());
  CHECK(receiver.take().empty());
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{1});
}

}  // namespace

TEST_CASE("DeliveryQueue.AggregatesGoBesideEachOtherAndEachInOrder") {
  Receiver receiver;
  for (const auto& [position, aggregate] :
       std::vector<std::pair<std::uint64_t, std::string>>{{0, "a"}, {1, "a"}, {2, "b"}, {5, "a"}, {6, "c"}}) {
    receiver.offer(position, aggregate);
  }
  CHECK(receiver.take() == Positions{0});
  const BatchNumber first = receiver.number;
  CHECK(receiver.take() == Positions{2});
  CHECK(receiver.take() == Positions{6});
  CHECK(receiver.take().empty());
  receiver.queue.delivered(first, {}, receiver.now);
  CHECK(receiver.take() == Positions{1});
}

TEST_CASE("DeliveryQueue.TheWatermarkStaysBehindWhatIsUnderWay") {
  Receiver receiver;
  receiver.offer(0, "a");
  receiver.offer(3, "b");
  receiver.queue.examined(Position{9}, Timestamp{9});
  CHECK(receiver.take() == Positions{0});
  const BatchNumber first = receiver.number;
  CHECK(receiver.take() == Positions{3});
  receiver.accept();
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{0});
  receiver.queue.delivered(first, {}, receiver.now);
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{9});
  CHECK(receiver.queue.state().settled.empty());
}

TEST_CASE("DeliveryQueue.AWatermarkThatMovesAloneIsKeptNowAndThen") {
  Receiver receiver;
  receiver.queue.examined(Position{9'999}, Timestamp{9});
  CHECK(receiver.queue.take_steps().empty());
  CHECK(receiver.queue.take_steps(true).size() == 1);
  receiver.queue.examined(Position{19'999}, Timestamp{9});
  CHECK(receiver.queue.take_steps().size() == 1);
}

TEST_CASE("DeliveryQueue.ABatchIsTriedWholeOnceThenByAggregateThenByEvent") {
  Receiver receiver({.batch_events_max = 10});
  for (std::uint64_t i = 0; i < 4; ++i) receiver.offer(i, i % 2 == 0 ? "a" : "b");
  receiver.queue.examined(Position{4}, Timestamp{4});
  const Positions all{0, 1, 2, 3};
  CHECK(receiver.take() == all);
  const BatchNumber first = receiver.number;
  receiver.fail();
  CHECK(receiver.take().empty());
  receiver.later();
  CHECK(receiver.take() == all);
  CHECK(receiver.number == first);
  receiver.fail();
  receiver.later();
  CHECK(receiver.take() == Positions{0, 2});
  CHECK(receiver.number != first);
  const BatchNumber of_a = receiver.number;
  CHECK(receiver.take() == Positions{1, 3});
  receiver.accept();
  receiver.queue.failed(of_a, {.error = "status"}, receiver.now);
  receiver.later();
  receiver.look(0);
  CHECK(receiver.take() == Positions{0});
  receiver.accept();
  receiver.look(2);
  CHECK(receiver.take() == Positions{2});
  receiver.accept();
  receiver.look(std::nullopt);
  CHECK(receiver.queue.state().held.empty());
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{4});
}

TEST_CASE("DeliveryQueue.WhatIsTooLargeIsHalvedFirst") {
  Receiver receiver({.batch_events_max = 10});
  const std::vector<std::string> aggregates{"d", "c", "b", "a", "d", "c", "b", "a"};
  for (std::size_t at = 0; at < aggregates.size(); ++at) receiver.offer(at, aggregates[at]);
  std::set<BatchNumber> numbers;
  const auto take = [&] {
    const Positions positions = receiver.take();
    CHECK(numbers.insert(receiver.number).second);
    return positions;
  };
  const auto split = [&] {
    receiver.fail(Kind::TooLarge);
    receiver.later();
  };
  CHECK(take() == Positions{0, 1, 2, 3, 4, 5, 6, 7});
  split();
  CHECK(take() == Positions{0, 1, 4, 5});
  split();
  CHECK(take() == Positions{2, 3, 6, 7});
  receiver.accept();
  CHECK(take() == Positions{0, 4});
  split();
  CHECK(take() == Positions{1, 5});
  receiver.accept();
  receiver.look(0);
  CHECK(take() == Positions{0});
  CHECK(receiver.queue.state().dead_letters.empty());
  receiver.fail(Kind::TooLarge);
  CHECK(receiver.queue.state().dead_letters.size() == 1);
  receiver.look(4);
  CHECK(take() == Positions{4});
  receiver.accept();
  receiver.look(std::nullopt);
  CHECK(receiver.queue.state().held.empty());
}

TEST_CASE("DeliveryQueue.AnAggregateThatIsMostOfABatchIsAHalf") {
  Receiver receiver({.batch_events_max = 10});
  const std::vector<std::string> aggregates{"b", "a", "a", "a", "c"};
  for (std::size_t at = 0; at < aggregates.size(); ++at) receiver.offer(at, aggregates[at]);
  CHECK(receiver.take().size() == 5);
  receiver.fail(Kind::TooLarge);
  receiver.later();
  CHECK(receiver.take() == Positions{0, 4});
  CHECK(receiver.take() == Positions{1, 2, 3});
}

TEST_CASE("DeliveryQueue.InABatchAnEventIsNotDeadHoweverFewAttemptsThereAre") {
  Receiver receiver({.attempts_max = 1, .batch_events_max = 10});
  receiver.offer(0, "a");
  receiver.offer(1, "b");
  for (int attempt = 0; attempt < 2; ++attempt) {
    CHECK(receiver.take() == Positions{0, 1});
    receiver.fail();
    CHECK(receiver.queue.state().dead_letters.empty());
    receiver.later();
  }
  CHECK(receiver.take() == Positions{0});
  receiver.fail();
  CHECK(receiver.queue.state().dead_letters.size() == 1);
  CHECK(receiver.queue.state().dead_letters.contains(Position{0}));
  CHECK(receiver.take() == Positions{1});
  receiver.accept();
  CHECK(receiver.queue.state().dead_letters.size() == 1);
}

TEST_CASE("DeliveryQueue.DelaysDoubleWithFullJitterUpToTheLongest") {
  constexpr std::int64_t kInitial = 100, kMost = 1'000;
  const std::vector<std::int64_t> longest{100, 200, 400, 800, kMost, kMost, kMost};
  // Of each attempt, how often its delay was in the lower and in the upper half of what it may be.
  std::vector<std::pair<int, int>> halves(longest.size());
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    DeliverySettings settings{.attempts_max = 50};
    settings.initial_delay = std::chrono::milliseconds(kInitial);
    settings.delay_max = std::chrono::milliseconds(kMost);
    DeliveryQueue queue(settings, DeliveryState{}, seed);
    queue.offer(Position{0}, {}, "a", 1);
    Timestamp now{1'000'000};
    for (std::size_t failures = 0; failures < longest.size(); ++failures) {
      CAPTURE(failures);
      const auto attempt = queue.take(now);
      REQUIRE(attempt);
      queue.failed(attempt->number, {.error = "status"}, now);
      const auto due = queue.next_due(now);
      REQUIRE(due);
      const std::int64_t delay = (due->micros - now.micros) / 1'000;
      CHECK(delay >= 1);
      CHECK(delay <= longest[failures]);
      ++(2 * delay <= longest[failures] ? halves[failures].first : halves[failures].second);
      now = *due;
    }
  }
  for (const auto& [lower, upper] : halves) {
    CHECK(lower > 50);
    CHECK(upper > 50);
  }
}

TEST_CASE("DeliveryQueue.OnePoisonousEventOfAHundredIsOneDeadLetter") {
  Receiver receiver({.attempts_max = 3, .batch_events_max = 100});
  for (std::uint64_t i = 0; i < 100; ++i) receiver.offer(i, "a" + std::to_string(i % 10));
  std::set<std::uint64_t> delivered;
  for (int i = 0; i < 1'000; ++i, receiver.later()) {
    while (const auto look = receiver.queue.next_look(receiver.now)) {
      std::optional<Position> found;
      for (std::uint64_t at = look->from.value(); at < 100 && !found; ++at) {
        if ("a" + std::to_string(at % 10) == look->aggregate_id) found = Position{at};
      }
      receiver.queue.looked(*look, receiver.queue.read_end(), found);
    }
    const Positions set = receiver.take();
    if (std::find(set.begin(), set.end(), 42) != set.end()) {
      receiver.fail();
    } else if (!set.empty()) {
      delivered.insert(set.begin(), set.end());
      receiver.accept();
    }
  }
  CHECK(delivered.size() == 99);
  REQUIRE(receiver.queue.state().dead_letters.size() == 1);
  const auto& [position, letter] = *receiver.queue.state().dead_letters.begin();
  CHECK(position == Position{42});
  CHECK(letter.aggregate_id == "a2");
  CHECK(letter.attempts >= 3);
  CHECK(letter.status == 500);
}

TEST_CASE("DeliveryQueue.WhatFailedAloneIsHeldAndTheWatermarkPassesIt") {
  Receiver receiver;
  receiver.offer(0, "a");
  receiver.offer(1, "a");
  receiver.offer(2, "b");
  CHECK(receiver.take() == Positions{0});
  const BatchNumber first = receiver.number;
  receiver.fail();
  CHECK(receiver.take() == Positions{2});
  receiver.accept();
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{3});
  CHECK(receiver.queue.state().held.at("a").from == Position{0});
  receiver.later();
  CHECK(receiver.take() == Positions{0});
  CHECK(receiver.number == first);
}

TEST_CASE("DeliveryQueue.TheReceiverSaysWhenToComeBack") {
  Receiver receiver({.delay_max = 1min});
  receiver.offer(0, "a");
  CHECK(receiver.take() == Positions{0});
  receiver.queue.failed(receiver.number, {.error = "status", .status = 429, .retry_after = 30s}, receiver.now);
  CHECK(receiver.queue.next_due(receiver.now)->micros == receiver.now.micros + 30'000'000);
  receiver.later(29'999ms);
  CHECK(receiver.take().empty());
  receiver.later(1ms);
  CHECK(receiver.take() == Positions{0});
  receiver.queue.failed(receiver.number, {.error = "status", .status = 429, .retry_after = 300h}, receiver.now);
  receiver.later(1min);
  CHECK(receiver.take() == Positions{0});
}

TEST_CASE("DeliveryQueue.ParkedAggregatesWaitUntilTheirLetterIsGone") {
  Receiver receiver({.attempts_max = 1, .on_dead_letter = OnDeadLetter::Park});
  receiver.offer(0, "a");
  receiver.offer(1, "a");
  receiver.offer(2, "b");
  CHECK(receiver.take() == Positions{0});
  receiver.fail();
  CHECK(receiver.take() == Positions{2});
  receiver.accept();
  receiver.later();
  CHECK_FALSE(receiver.queue.next_look(receiver.now));
  CHECK(receiver.take().empty());
  CHECK(receiver.queue.state().held.at("a").parked);

  CHECK(receiver.queue.redrive(Position{0}));
  CHECK_FALSE(receiver.queue.redrive(Position{0}));
  CHECK(receiver.take() == Positions{0});
  CHECK_FALSE(receiver.queue.drop(Position{0}));
  receiver.fail();
  CHECK(receiver.queue.state().dead_letters.at(Position{0}).attempts == 2);
  CHECK_FALSE(receiver.queue.next_look(receiver.now));

  CHECK(receiver.queue.redrive(Position{0}));
  CHECK(receiver.take() == Positions{0});
  receiver.accept();
  CHECK(receiver.queue.state().dead_letters.empty());
  receiver.look(1);
  CHECK(receiver.take() == Positions{1});
}

TEST_CASE("DeliveryQueue.ItStopsAtADeadLetterIfItIsTo") {
  Receiver receiver({.attempts_max = 2, .on_dead_letter = OnDeadLetter::Stop});
  receiver.offer(0, "a");
  receiver.offer(1, "b");
  CHECK(receiver.take() == Positions{0});
  receiver.fail(Kind::Final);
  CHECK(receiver.queue.stopped());
  CHECK(receiver.take().empty());
  CHECK(receiver.queue.state().dead_letters.empty());
  receiver.queue.resume();
  CHECK(receiver.take() == Positions{0});
  receiver.accept();
  CHECK(receiver.take() == Positions{1});
  receiver.queue.failed(receiver.number, {.kind = Kind::Stop, .error = "gone", .status = 410}, receiver.now);
  CHECK(receiver.queue.why_stopped()->status == 410);
}

TEST_CASE("DeliveryQueue.AtABoundItStallsAndDropsNothing") {
  Receiver receiver({.held_max = 1});
  fail_beyond_bound(receiver);
  receiver.later();
  for (int i = 0; i < 2; ++i) {
    REQUIRE_FALSE(receiver.take().empty());
    receiver.accept();
  }
  CHECK_FALSE(receiver.queue.stalled());
  CHECK(receiver.take() == Positions{2});
}

TEST_CASE("DeliveryQueue.AtTheBoundOfDeadLettersItStallsAndDropsNothing") {
  DeliverySettings settings{.attempts_max = 1, .dead_letters_max = 1};
  bool one_is_dropped = false;
  SUBCASE("skipped, until the receiver takes it") {}
  SUBCASE("skipped, until one is gone") { one_is_dropped = true; }
  SUBCASE("parked, until the receiver takes it") { settings.on_dead_letter = OnDeadLetter::Park; }
  SUBCASE("parked, until one is gone") {
    settings.on_dead_letter = OnDeadLetter::Park;
    one_is_dropped = true;
  }
  Receiver receiver(settings);
  fail_beyond_bound(receiver);
  // It is tried again now and then.
  receiver.later();
  CHECK(receiver.take() == Positions{1});
  receiver.fail(Kind::Final);
  CHECK(receiver.queue.stalled());
  CHECK(receiver.queue.state().dead_letters.size() == 1);
  CHECK(receiver.queue.state().dead_letters.contains(Position{0}));
  receiver.later();

  if (one_is_dropped) {
    CHECK(receiver.queue.drop(Position{0}));
    CHECK(receiver.take() == Positions{1});
    receiver.fail();
    CHECK(receiver.queue.state().dead_letters.contains(Position{1}));
  } else {
    CHECK(receiver.take() == Positions{1});
    receiver.accept();
  }
  CHECK_FALSE(receiver.queue.stalled());
  CHECK(receiver.take() == Positions{2});
  receiver.accept();
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{3});
}

TEST_CASE("DeliveryQueue.BehindOneThatIsNotDoneOnlySoManyAreDelivered") {
  Receiver receiver({.in_flight_max = 2, .settled_max = 3});
  for (std::uint64_t i = 0; i < 5; ++i) receiver.offer(i, "a" + std::to_string(i));
  CHECK(receiver.take() == Positions{0});
  const BatchNumber first = receiver.number;
  for (std::uint64_t i = 1; i < 4; ++i) {
    CHECK(receiver.queue.room() > 0);
    CHECK_FALSE(receiver.queue.stalled());
    CHECK(receiver.take() == Positions{i});
    receiver.accept();
    (void)receiver.queue.take_steps();
  }
  CHECK(receiver.queue.stalled());
  CHECK(receiver.queue.room() == 0);
  CHECK(receiver.take().empty());

  // A start changes nothing of that: it reads again what keeps the others back.
  DeliveryQueue again(receiver.settings, receiver.queue.state(), 1);
  CHECK(again.stalled());
  for (std::uint64_t i = 0; i < 4; ++i) {
    REQUIRE(again.room() > 0);
    again.offer(Position{i}, {}, "a" + std::to_string(i), 1);
  }
  CHECK(again.room() == 0);
  const auto attempt = again.take(receiver.now);
  REQUIRE(attempt);
  CHECK(attempt->number == first);
  again.delivered(first, {}, receiver.now);
  (void)again.take_steps();
  CHECK_FALSE(again.stalled());
  CHECK(again.state().end == Position{4});
  CHECK(again.state().settled.empty());

  receiver.queue.delivered(first, {}, receiver.now);
  (void)receiver.queue.take_steps();
  CHECK_FALSE(receiver.queue.stalled());
  CHECK(receiver.take() == Positions{4});
}

TEST_CASE("DeliveryQueue.AtTheBoundOfSettledEventsHeldAggregatesWaitToo") {
  Receiver receiver({.settled_max = 2});
  receiver.offer(0, "slow");
  receiver.offer(1, "held");
  receiver.offer(2, "held");
  receiver.offer(3, "other");
  CHECK(receiver.take() == Positions{0});
  const BatchNumber slow = receiver.number;
  CHECK(receiver.take() == Positions{1});
  receiver.fail();
  CHECK(receiver.take() == Positions{3});
  receiver.accept();
  receiver.later();
  CHECK(receiver.take() == Positions{1});
  receiver.accept();
  (void)receiver.queue.take_steps();
  receiver.look(2);
  CHECK(receiver.queue.stalled());
  CHECK(receiver.take().empty());
  receiver.queue.delivered(slow, {}, receiver.now);
  (void)receiver.queue.take_steps();
  CHECK(receiver.take() == Positions{2});
}

/// 0 is of a slow aggregate and under way; 1 to 3 are of it too.
struct SlowAggregate : Receiver {
  explicit SlowAggregate(DeliverySettings given = {}) : Receiver(with_bounds(given)) {
    for (std::uint64_t i = 0; i < 4; ++i) offer(i, "slow");
    CHECK(take() == Positions{0});
    slow = number;
    CHECK(take().empty());
    CHECK(queue.room() == 0);
  }
  static DeliverySettings with_bounds(DeliverySettings settings) {
    settings.waiting_max = 3;
    settings.busy_waiting_max = 2;
    settings.busy_waiting_time = 5s;
    return settings;
  }
  /// It is held, and the others go on.
  void wait() {
    CHECK(queue.next_due(now)->micros == now.micros + 5'000'000);
    later(5s);
    CHECK(take().empty());
    REQUIRE(queue.state().held.contains("slow"));
    CHECK(queue.state().held.at("slow").from == Position{1});
    CHECK(queue.room() == 3);
    offer(4, "b");
    offer(5, "slow");
    CHECK(take() == Positions{4});
    accept();
    look(1);
    CHECK(take().empty());
    (void)queue.take_steps();
    CHECK(queue.state().end == Position{0});
  }
  BatchNumber slow;
};

TEST_CASE("DeliveryQueue.ASlowAggregateIsHeldAndTheOthersGoOn") {
  SlowAggregate receiver;
  receiver.wait();
  receiver.queue.delivered(receiver.slow, {}, receiver.now);
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{6});
  for (const auto& [position, next] : std::map<std::uint64_t, std::optional<std::uint64_t>>{{1, 2}, {2, 5}}) {
    CHECK(receiver.take() == Positions{position});
    receiver.accept();
    receiver.look(next);
  }
  CHECK(receiver.take() == Positions{5});
  receiver.accept();
  receiver.look(std::nullopt);
  CHECK(receiver.queue.state().held.empty());
}

TEST_CASE("DeliveryQueue.WhatASlowAggregateHadAtTheFrontFailsBeforeTheRest") {
  SlowAggregate receiver;
  receiver.wait();
  receiver.queue.failed(receiver.slow, {.error = "timeout"}, receiver.now);
  CHECK(receiver.queue.state().held.at("slow").from == Position{0});
  CHECK(receiver.take().empty());
  receiver.later();
  CHECK(receiver.take() == Positions{0});
  receiver.accept();
  CHECK(receiver.take().empty());  // what was found before is not known any more
  receiver.look(1);
  CHECK(receiver.take() == Positions{1});
}

TEST_CASE("DeliveryQueue.ASlowAggregateIsParkedWhereItsDeadLetterIs") {
  SlowAggregate receiver({.attempts_max = 1, .on_dead_letter = OnDeadLetter::Park});
  receiver.wait();
  receiver.queue.failed(receiver.slow, {.error = "timeout"}, receiver.now);
  CHECK(receiver.queue.state().dead_letters.contains(Position{0}));
  CHECK(receiver.queue.state().held.at("slow").parked);
  receiver.later();
  CHECK(receiver.take().empty());
  CHECK(receiver.queue.drop(Position{0}));
  receiver.look(1);
  CHECK(receiver.take() == Positions{1});
}

TEST_CASE("DeliveryQueue.AfterAStartASlowAggregateStillWaitsForItsBatch") {
  SlowAggregate before;
  before.wait();
  DeliveryQueue queue(before.settings, before.queue.state(), 1);
  const auto look = queue.next_look(before.now);
  REQUIRE(look);
  queue.looked(*look, Position{6}, Position{1});
  CHECK_FALSE(queue.take(before.now));
  for (std::uint64_t i = 0; i < 4; ++i) queue.offer(Position{i}, {}, "slow", 1);
  const auto again = queue.take(before.now);
  REQUIRE(again);
  CHECK(again->number == before.slow);
  CHECK_FALSE(queue.take(before.now));
  queue.delivered(before.slow, {}, before.now);
  const auto next = queue.take(before.now);
  REQUIRE(next);
  CHECK(next->positions == std::vector<Position>{Position{1}});
}

TEST_CASE("DeliveryQueue.ASlowAggregateStaysWhereNoMoreMayBeHeld") {
  SlowAggregate receiver({.held_max = 0});
  receiver.later(5s);
  CHECK(receiver.take().empty());
  CHECK(receiver.queue.room() == 0);
  CHECK_FALSE(receiver.queue.stalled());
  receiver.queue.delivered(receiver.slow, {}, receiver.now);
  CHECK(receiver.take() == Positions{1});
}

TEST_CASE("DeliveryQueue.OneByOneKeepsTheOrderOfTheLogAndTriesForEver") {
  Receiver receiver(
      {.attempts_max = 1, .on_dead_letter = OnDeadLetter::Stop, .batch_events_max = 2, .one_by_one = true});
  for (std::uint64_t i = 0; i < 3; ++i) receiver.offer(i, "a" + std::to_string(i));
  CHECK(receiver.take() == Positions{0, 1});
  CHECK(receiver.take().empty());
  for (int i = 0; i < 20; ++i) {
    receiver.fail();
    CHECK(receiver.take().empty());
    receiver.later(2h);
    CHECK(receiver.take() == Positions{0, 1});
  }
  receiver.accept();
  CHECK(receiver.take() == Positions{2});
}

TEST_CASE("DeliveryQueue.SomeOfWhatWasFetchedMayBeDoneWithBeforeTheRest") {
  Receiver receiver({.batch_events_max = 10});
  for (std::uint64_t i = 0; i < 6; ++i) receiver.offer(i, i % 2 == 0 ? "a" : "b");
  receiver.queue.examined(Position{6}, Timestamp{6});
  CHECK(receiver.take().size() == 6);
  const std::vector<Position> first{Position{0}, Position{1}};
  receiver.queue.settled(receiver.number, first, receiver.now);
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{2});
  CHECK(receiver.queue.in_flight() == 1);

  // Event 4 fails, and event 2 of its aggregate with it; those of the other go on.
  const std::vector<Position> bad{Position{4}};
  const auto left = receiver.queue.failed(receiver.number, bad, {.error = "nack", .retry_after = 1min}, receiver.now);
  REQUIRE(left);
  CHECK(receiver.queue.state().batches.at(*left).positions == std::vector<Position>{Position{3}, Position{5}});
  receiver.queue.delivered(*left, {}, receiver.now);
  CHECK(receiver.take().empty());
  receiver.later(1min);
  CHECK(receiver.take() == Positions{2, 4});
  receiver.accept();
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{6});
}

TEST_CASE("DeliveryQueue.WhoTakesFewerGetsALargerBatchInParts") {
  DeliverySettings settings;
  settings.batch_events_max = 10;
  Receiver receiver(settings);
  const std::vector<std::string> aggregates{"a", "a", "a", "b", "c", "c", "d"};
  for (std::size_t at = 0; at < aggregates.size(); ++at) receiver.offer(at, aggregates[at]);
  CHECK(receiver.take() == Positions{0, 1, 2, 3, 4, 5, 6});
  receiver.fail();
  receiver.later();
  const auto take_two = [&] {
    Positions positions;
    if (const auto attempt = receiver.queue.take(receiver.now, 2)) {
      receiver.number = attempt->number;
      CHECK(attempt->attempts == 1);
      for (const Position position : attempt->positions) positions.push_back(position.value());
    }
    return positions;
  };
  // Aggregates stay whole; `a` has too many, and goes on one by one.
  CHECK(take_two() == Positions{3, 6});
  receiver.accept();
  CHECK(take_two() == Positions{4, 5});
  receiver.accept();
  CHECK(take_two().empty());
  const std::vector<std::uint64_t> alone{0, 1, 2};
  for (const std::uint64_t next : alone) {
    receiver.look(next);
    CHECK(receiver.take() == Positions{next});
    receiver.accept();
  }
  receiver.look(std::nullopt);
  (void)receiver.queue.take_steps();
  CHECK(receiver.queue.state().end == Position{7});
  CHECK(receiver.queue.state().held.empty());
}

TEST_CASE("DeliveryQueue.ALargeEventGoesAlone") {
  Receiver receiver({.batch_events_max = 10, .batch_bytes_max = 250});
  receiver.offer(0, "a", 1'000);
  receiver.offer(1, "b", 100);
  receiver.offer(2, "c", 100);
  receiver.offer(3, "d", 100);
  CHECK(receiver.take() == Positions{0});
  CHECK(receiver.take() == Positions{1, 2});
  CHECK(receiver.take() == Positions{3});
}

TEST_CASE("DeliveryQueue.AfterAStartWhatWasDecidedIsAttemptedAgainOnceItIsRead") {
  Receiver before({.batch_events_max = 2});
  before.offer(0, "a");
  before.offer(1, "b");
  before.offer(2, "b");
  CHECK(before.take() == Positions{0, 1});
  DeliveryQueue queue(before.settings, before.queue.state(), 1);
  CHECK_FALSE(queue.take(before.now));
  queue.offer(Position{0}, {}, "a", 1);
  queue.offer(Position{1}, {}, "b", 1);
  queue.offer(Position{2}, {}, "b", 1);
  const auto again = queue.take(before.now);
  REQUIRE(again);
  CHECK(again->number == before.number);
  CHECK_FALSE(queue.take(before.now));  // the other waits for its aggregate
}

TEST_CASE("DeliveryQueue.WhatMatchesNoMoreIsNotWaitedFor") {
  Receiver before({.batch_events_max = 2});
  before.offer(0, "a");
  before.offer(1, "b");
  CHECK(before.take() == Positions{0, 1});
  DeliveryQueue queue(before.settings, before.queue.state(), 1);
  queue.offer(Position{1}, {}, "b", 1);
  queue.examined(Position{5}, {});
  const auto again = queue.take(before.now);
  REQUIRE(again);
  CHECK(again->positions == std::vector<Position>{Position{1}});
}

TEST_CASE("DeliveryQueue.WhatMatchesNoMoreKeepsTheWatermarkOfTheNextEventNotBack") {
  Receiver before;
  before.offer(0, "a");
  CHECK(before.take() == Positions{0});
  DeliveryQueue queue(before.settings, before.queue.state(), 1);
  queue.offer(Position{3}, {}, "b", 1);
  const auto attempt = queue.take(before.now);
  REQUIRE(attempt);
  CHECK(attempt->positions == std::vector<Position>{Position{3}});
  queue.delivered(attempt->number, {}, before.now);
  (void)queue.take_steps();
  CHECK(queue.state().end == Position{4});
  CHECK(queue.state().batches.empty());
}

}  // namespace stele
