// What becomes of deliveries that fail: retries, dead letters, what waits behind them, and when it is too much.

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "api/subscriptions/circuit_breaker.h"
#include "api/subscriptions/subscription_log.h"
#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Outcome = WebhookAnswer::Outcome;

}  // namespace

TEST_CASE("SubscriptionRoom.APoisonousEventOfABatchIsOneDeadLetter") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.batch_events = 100;
  request.definition.attempts_max = 4;
  request.from = StartAt{StartAt::Kind::Beginning, {}, {}};
  for (int i = 0; i < 100; ++i) fixture.append("m" + std::to_string(i % 10));
  const std::string id = fixture.subscribe(std::move(request));
  std::map<std::string, int> delivered;
  std::string poison;
  while (fixture.status(id).delivered < 99) {
    auto sent = fixture.sender.next();
    const std::string outline = sent.outline() + " ";
    if (outline.find("m7:3 ") != std::string::npos) {
      sent.answer(500);
      continue;
    }
    for (std::size_t at = 0; at < outline.size();) {
      const std::size_t end = outline.find(' ', at);
      const std::string event = outline.substr(at, end - at);
      const std::string aggregate = event.substr(0, event.find(':'));
      const int sequence = std::stoi(event.substr(event.find(':') + 1));
      CHECK(sequence == delivered[aggregate] + (aggregate == "m7" && delivered[aggregate] == 2 ? 2 : 1));
      delivered[aggregate] = sequence;
      at = end + 1;
    }
    sent.answer(200);
    // So that what it has decided next is sent, or nothing more comes.
    wait_until([&] { return fixture.sender.waiting() > 0 || fixture.status(id).delivered == 99; });
  }
  fixture.wait_done(id);
  const auto letters = fixture.room().dead_letters(id, Position{0}, 10);
  REQUIRE(letters.size() == 1);
  CHECK(letters.front().letter.aggregate_id == "m7");
  CHECK(letters.front().letter.status == 500);
  CHECK(delivered.size() == 10);
  for (const auto& [aggregate, last] : delivered) CHECK(last == 10);

  SUBCASE("that can be delivered after all") {
    auto redriven = fixture.room().redrive(id, {.error = "other"}, 0, false, [] { return false; });
    CHECK(std::get<SubscriptionRoom::Redriven>(redriven).positions.empty());
    redriven = fixture.room().redrive(id, {.status = std::uint16_t{500}}, 0, true, [] { return false; });
    CHECK(std::get<SubscriptionRoom::Redriven>(redriven).positions.size() == 1);
    redriven = fixture.room().redrive(id, {}, 0, false, [] { return false; });
    auto sent = fixture.sender.next();
    CHECK(sent.outline() == "m7:3");
    CHECK(slug_of(fixture.room().drop(id, letters.front().position)) == "delivery-in-progress");
    sent.answer(200);
    wait_until([&] { return fixture.status(id).dead_letters == 0; });
  }
  SUBCASE("that can be dropped") {
    CHECK(slug_of(fixture.room().drop(id, Position{1})) == "dead-letter-not-found");
    CHECK(slug_of(fixture.room().drop(id, letters.front().position)).empty());
    CHECK(fixture.status(id).dead_letters == 0);
  }
  SUBCASE("that the log knows, even if the files of deliveries are lost") {
    wait_until([&] { return fixture.logged(subscription_event::kDeadLetters) == 1; });
    fixture.close();
    std::filesystem::remove_all(fixture.folder() + "/data/deliveries");
    fixture.open();
    CHECK(fixture.room().dead_letters(id, Position{0}, 10).size() == 1);
  }
}

TEST_CASE("SubscriptionRoom.WhatAReceiverTakesBackIsTriedAgainAlone") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.batch_events = 10;
  request.from = StartAt{StartAt::Kind::Beginning, {}, {}};
  for (const char* aggregate : {"a", "b", "c"}) fixture.append(aggregate);
  const std::string id = fixture.subscribe(std::move(request));
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1 b:1 c:1");
  simdjson::dom::parser parser;
  std::string_view b;
  REQUIRE(parser.parse(sent.request.body)["events"].at(1)["eventId"].get(b) == simdjson::SUCCESS);
  const std::string first = sent.id();
  sent.answer(200, R"({"failed":[")" + std::string(b) + R"(","00000000-0000-0000-0000-000000000000",7]})");
  sent = fixture.sender.next();
  CHECK(sent.outline() == "b:1");
  CHECK(sent.id() != first);
  sent.answer(200, R"({"failed":)");
  wait_until([&] { return fixture.status(id).delivered == 3; });
}

TEST_CASE("SubscriptionRoom.WhatIsTooLargeIsHalvedUntilItFits") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.batch_events = 10;
  request.definition.in_flight_max = 1;
  request.from = StartAt{StartAt::Kind::Beginning, {}, {}};
  for (const char* aggregate : {"a", "b", "c", "d"}) fixture.append(aggregate);
  const std::string id = fixture.subscribe(std::move(request));
  std::vector<std::string> sets;
  while (fixture.status(id).delivered < 4) {
    auto sent = fixture.sender.next();
    sets.push_back(sent.outline());
    const bool too_large = sets.back().size() > std::string("a:1 b:1").size() || sets.back() == "c:1 d:1";
    sent.answer(too_large ? 413 : 200);
    wait_until([&] { return fixture.sender.waiting() > 0 || fixture.status(id).delivered == 4; });
  }
  std::sort(sets.begin(), sets.end());
  CHECK(sets == std::vector<std::string>{"a:1 b:1", "a:1 b:1 c:1 d:1", "c:1", "c:1 d:1", "d:1"});
  fixture.wait_done(id);
  CHECK(fixture.status(id).dead_letters == 0);
}

TEST_CASE("SubscriptionRoom.ARefusedAddressIsADeadLetterAtOnce") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  auto sent = fixture.sender.next();
  sent.fail(Outcome::AddressRefused);
  wait_until([&] { return fixture.status(id).dead_letters == 1; });
  const ListedDeadLetter listed = fixture.room().dead_letters(id, Position{0}, 10).at(0);
  CHECK(listed.letter.error == "address-refused");
  CHECK(listed.letter.status == 0);
  CHECK(listed.letter.attempts == 1);
  fixture.append("a");
  sent = fixture.sender.next();
  CHECK(sent.outline() == "a:2");
  sent.answer(200);
  fixture.wait_done(id);
  CHECK(fixture.status(id).failures == 1);
}

TEST_CASE("SubscriptionRoom.AWebhookStopsAtItsDeadLetterIfItIsTo") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 2;
  request.definition.in_flight_max = 1;
  request.definition.on_dead_letter = OnDeadLetter::Stop;
  const std::string id = fixture.subscribe(std::move(request));
  fixture.append("a");
  fixture.sender.next().answer(500);
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1");
  const std::string number = sent.id();
  sent.answer(500);
  fixture.wait_for_state(id, SubscriptionState::Stopped);
  CHECK(fixture.status(id).standing.reason == "status 500");
  CHECK(fixture.status(id).dead_letters == 0);
  fixture.append("a");
  fixture.append("b");
  SUBCASE("and goes on with it") {}
  SUBCASE("and goes on with it after a restart") {
    wait_until([&] { return fixture.logged(subscription_event::kStateChanged) == 1; });
    fixture.reopen();
    CHECK(fixture.status(id).standing.state == SubscriptionState::Stopped);
  }
  CHECK(fixture.sender.waiting() == 0);
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  std::vector<std::string> got;
  for (int i = 0; i < 3; ++i) {
    sent = fixture.sender.next();
    got.push_back(sent.outline());
    if (got.back() == "a:1") CHECK(sent.id() == number);
    sent.answer(200);
  }
  std::erase(got, "b:1");
  CHECK(got == std::vector<std::string>{"a:1", "a:2"});
  wait_until([&] { return fixture.status(id).held_back == 0; });
}

TEST_CASE("SubscriptionRoom.AReceiverThatIsOutOfOrderIsTriedNowAndThen") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.in_flight_max = 1;
  const std::string id = fixture.subscribe(std::move(request));
  for (int i = 0; i < 3; ++i) fixture.append("a" + std::to_string(i));
  for (int i = 0; i < 5; ++i) fixture.sender.next().fail(Outcome::TimedOut);
  wait_until([&] { return fixture.status(id).breaker_open; });
  auto sent = fixture.sender.next();
  CHECK(fixture.sender.waiting() == 0);
  sent.answer(200);
  for (int i = 0; i < 2; ++i) fixture.sender.next().answer(200);
  fixture.wait_done(id);
  CHECK_FALSE(fixture.status(id).breaker_open);
  CHECK(fixture.status(id).dead_letters == 0);
}

TEST_CASE("SubscriptionRoom.TheAuditTrailIsToldOfABreakerOnceAMinute") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  for (int i = 0; i < CircuitBreaker::kOutagesMax; ++i) fixture.append("a" + std::to_string(i));
  std::vector<TestSender::Sent> sent;
  for (int i = 0; i < CircuitBreaker::kOutagesMax; ++i) sent.push_back(fixture.sender.next());
  for (TestSender::Sent& one : sent) one.fail(Outcome::TimedOut);
  const std::vector<std::string> opened{"open " + id};
  wait_until([&] { return fixture.breaker_told() == opened; });

  // It closes, but too soon to be told.
  clock.wall += 2'000'000;
  fixture.sender.next().answer(200);
  for (int i = 1; i < CircuitBreaker::kOutagesMax; ++i) fixture.sender.next().answer(200);
  fixture.wait_done(id);
  CHECK_FALSE(fixture.status(id).breaker_open);
  CHECK(fixture.breaker_told() == opened);
  clock.wall += 59'000'000;
  fixture.append("b");
  fixture.sender.next().answer(200);
  const std::vector<std::string> closed{"open " + id, "closed " + id};
  wait_until([&] { return fixture.breaker_told() == closed; });
}

TEST_CASE("SubscriptionRoom.ParkedEventsWaitBehindTheirDeadLetter") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  request.definition.on_dead_letter = OnDeadLetter::Park;
  const std::string id = fixture.subscribe(std::move(request));
  fixture.append("a");
  fixture.sender.next().answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 1; });
  fixture.append("a");
  fixture.append("b");
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "b:1");
  sent.answer(200);
  fixture.wait_done(id);
  const auto fate = [&](std::uint64_t back) {
    Record record;
    REQUIRE(fixture.store().view()->read(Position{back}, record));
    return fixture.room().fate_of(id, record).fate;
  };
  const auto letter = fixture.room().dead_letters(id, Position{0}, 10).at(0).position;
  CHECK(fate(letter.value()) == DeliveryFate::DeadLetter);
  CHECK(fate(letter.value() + 1) == DeliveryFate::Parked);
  CHECK(fate(letter.value() + 2) == DeliveryFate::Delivered);
  CHECK(fate(0) == DeliveryFate::NotMatching);
  REQUIRE(fixture.room().held(id, "", 10).size() == 1);
  CHECK(fixture.room().held(id, "", 10).front().held.parked);
  REQUIRE(slug_of(fixture.room().drop(id, letter)).empty());
  sent = fixture.sender.next();
  CHECK(sent.outline() == "a:2");
  sent.answer(200);
  wait_until([&] { return fixture.status(id).held_back == 0; });
}

TEST_CASE("SubscriptionRoom.ReplayedEventsSaySo") {
  RoomFixture fixture;
  fixture.append("a");
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.replay_until = Position{1};
  request.from = StartAt{StartAt::Kind::Beginning, {}, {}};
  const std::string id = fixture.subscribe(std::move(request));
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1*");
  sent.answer(200);
  fixture.append("a");
  sent = fixture.sender.next();
  CHECK(sent.outline() == "a:2");
  sent.answer(200);
}

TEST_CASE("SubscriptionRoom.FiveDaysOfNothingButFailureDisableIt") {
  stele::test::FakeClock clock;
  const auto later = [&](std::chrono::hours hours) { clock.wall += std::chrono::microseconds(hours).count(); };
  RoomFixture fixture(&clock);
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  const std::string id = fixture.subscribe(std::move(request));
  const auto fail_one = [&](const std::string& aggregate) {
    CAPTURE(aggregate);
    const std::uint64_t failures = fixture.status(id).failures;
    fixture.append(aggregate);
    fixture.sender.next().answer(500);
    wait_until([&] { return fixture.status(id).failures > failures; });
  };
  fail_one("a");
  later(std::chrono::hours(2));
  fail_one("b");
  // A restart does not forget since when.
  wait_until([&] { return fixture.logged(subscription_event::kDeadLetters) >= 1; });
  fixture.reopen();
  for (int day = 1; day <= 5; ++day) {
    CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
    later(std::chrono::hours(24));
    fail_one("c" + std::to_string(day));
  }
  fixture.wait_for_state(id, SubscriptionState::Disabled);
  CHECK(fixture.status(id).standing.reason == "nothing but failure for 5 days");
  CHECK(fixture.status(id).standing.since == clock.now());
  CHECK(fixture.status(id).dead_letters == 7);
  fixture.append("d");
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  fixture.append("e");
  std::set<std::string> left{"d:1", "e:1"};
  while (!left.empty()) {
    auto sent = fixture.sender.next();
    left.erase(sent.outline());
    sent.answer(200);
  }
  fixture.wait_done(id);
  CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
}

TEST_CASE("SubscriptionRoom.FailuresThatLieFarApartDisableNothing") {
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock);
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  const std::string id = fixture.subscribe(std::move(request));
  for (std::uint64_t n = 1; n <= 2; ++n) {
    fixture.append("a" + std::to_string(n));
    fixture.sender.next().answer(500);
    wait_until([&] { return fixture.status(id).dead_letters == n; });
    clock.wall += std::chrono::microseconds(std::chrono::hours(6 * 24)).count();
  }
  fixture.append("b");
  fixture.sender.next().answer(200);
  fixture.wait_done(id);
  CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
}

TEST_CASE("SubscriptionRoom.AtTheBoundOfHeldAggregatesItStallsAndNothingIsDropped") {
  RoomFixture fixture;
  const std::size_t bound = DeliverySettings().held_max;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  request.definition.in_flight_max = 256;
  request.definition.on_dead_letter = OnDeadLetter::Park;
  const std::string id = fixture.subscribe(std::move(request));
  for (std::size_t i = 0; i < bound; i += 1'000) {
    Proposal proposal;
    for (std::size_t n = i; n < i + 1'000; ++n) {
      RecordDraft& draft = proposal.events.emplace_back();
      draft.event_id = make_uuid_v7(system_clock());
      draft.aggregate_id = "m" + std::to_string(n);
      draft.event_type = "T";
      draft.data = "{}";
      draft.seal();
    }
    REQUIRE(fixture.store().append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
  }
  for (std::size_t i = 0; i < bound; ++i) fixture.sender.next().answer(500);
  wait_until([&] { return fixture.status(id).held_back == bound; });
  CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
  // The rest flows on at the bound.
  fixture.append("other");
  fixture.sender.next().answer(200);
  fixture.wait_done(id);

  fixture.append("one-more");
  auto sent = fixture.sender.next();
  sent.answer(500);
  fixture.wait_for_state(id, SubscriptionState::Stalled);
  fixture.append("behind");
  CHECK(fixture.status(id).held_back == bound);
  CHECK(fixture.status(id).dead_letters == bound);
  CHECK_FALSE(fixture.status(id).standing.reason.empty());
  const Position letter = fixture.room().dead_letters(id, Position{0}, 1).front().position;
  SUBCASE("until a dead letter is dropped") { REQUIRE(slug_of(fixture.room().drop(id, letter)).empty()); }
  SUBCASE("until a dead letter is delivered after all") {
    const auto redriven =
        fixture.room().redrive(id, {.positions = std::vector{letter}}, 0, false, [] { return false; });
    REQUIRE(slug_of(redriven).empty());
    // What there is no room for is tried again and again meanwhile.
    for (sent = fixture.sender.next(); sent.outline() != "m0:1"; sent = fixture.sender.next()) {
      CHECK(sent.outline() == "one-more:1");
      sent.answer(500);
    }
    CHECK(fixture.status(id).standing.state == SubscriptionState::Stalled);
    sent.answer(200);
  }
  std::set<std::string> left{"one-more:1", "behind:1"};
  while (!left.empty()) {
    sent = fixture.sender.next();
    CHECK(left.erase(sent.outline()) == 1);
    sent.answer(200);
  }
  fixture.wait_done(id);
  fixture.wait_for_state(id, SubscriptionState::Active);
  CHECK(fixture.status(id).dead_letters == bound - 1);
}

TEST_CASE("SubscriptionRoom.WhatIsHeldBackIsNotLostWithTheFilesOfDeliveriesNorByAReplacement") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.initial_delay = request.definition.delay_max = std::chrono::hours(1);
  const std::string id = fixture.subscribe(std::move(request));
  fixture.append("a");
  fixture.sender.next().answer(500);
  wait_until([&] { return fixture.status(id).held_back == 1; });
  fixture.append("a");
  fixture.append("b");
  fixture.sender.next().answer(200);
  fixture.wait_done(id);
  std::set<std::string> left{"a:1", "a:2"};
  SUBCASE("the files") {
    REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
    fixture.close();
    std::filesystem::remove_all(fixture.folder() + "/data/deliveries");
    fixture.open();
    REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  }
  SUBCASE("a replacement") {
    SubscribeRequest other = RoomFixture::webhook();
    other.replaces = id;
    (void)fixture.subscribe(std::move(other));
  }
  while (!left.empty()) {
    auto sent = fixture.sender.next();
    left.erase(sent.outline());
    sent.answer(200);
  }
}

TEST_CASE("SubscriptionRoom.ARedriveOutlivesAPauseAndAnotherOne") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  const std::string id = fixture.subscribe(std::move(request));
  for (const char* aggregate : {"a", "b", "c"}) fixture.append(aggregate);
  for (int i = 0; i < 3; ++i) fixture.sender.next().answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 3; });
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  const auto here = [] { return false; };
  REQUIRE(slug_of(fixture.room().redrive(id, {}, 0, false, here)).empty());
  const Position first = fixture.room().dead_letters(id, Position{0}, 1).front().position;
  REQUIRE(slug_of(fixture.room().redrive(id, {.positions = std::vector{first}}, 0, false, here)).empty());
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  for (int i = 0; i < 3; ++i) fixture.sender.next().answer(200);
  wait_until([&] { return fixture.status(id).dead_letters == 0; });
}

TEST_CASE("SubscriptionRoom.ANewAddressIsTriedAtOnceWhateverTheOldOneAskedFor") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.in_flight_max = 1;
  request.definition.delay_max = std::chrono::hours(1);
  const std::string id = fixture.subscribe(std::move(request));
  fixture.append("a");
  WebhookAnswer busy;
  busy.outcome = Outcome::Answered;
  busy.status = 503;
  busy.retry_after = std::chrono::hours(1);
  fixture.sender.next().done(busy);
  wait_until([&] { return fixture.status(id).failures == 1; });
  fixture.append("b");
  ChangeRequest change;
  change.definition = fixture.status(id).definition;
  change.definition.url = "https://other.example/";
  REQUIRE(slug_of(fixture.room().change(id, std::move(change), {})).empty());
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "b:1");
  sent.answer(200);
}

TEST_CASE("SubscriptionRoom.ManyEventsThroughAReceiverThatFailsAtRandom") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.batch_events = 7;
  request.definition.attempts_max = 50;
  const std::string id = fixture.subscribe(std::move(request));
  std::mt19937 random(7);
  for (int i = 0; i < 2'000; ++i) fixture.append("m" + std::to_string(random() % 40));
  std::map<std::string, int> last;
  const Position end = fixture.store().durable_end();
  std::atomic<bool> done{false};
  REQUIRE(fixture.room().wait_acked(id, Position{end.value() - 1}, std::chrono::seconds(100),
                                    [&](const SubscriptionStatus&) { done = true; }));
  std::vector<TestSender::Sent> open;
  while (!done || fixture.status(id).held_back > 0 || !open.empty()) {
    while (fixture.sender.waiting() > 0) open.push_back(fixture.sender.next());
    if (open.empty()) continue;
    std::swap(open[random() % open.size()], open.back());
    TestSender::Sent sent = std::move(open.back());
    open.pop_back();
    if (random() % 4 == 0) {
      sent.answer(500);
      continue;
    }
    const std::string outline = sent.outline() + " ";
    for (std::size_t at = 0; at < outline.size();) {
      const std::size_t next = outline.find(' ', at);
      const std::string event = outline.substr(at, next - at);
      const int sequence = std::stoi(event.substr(event.find(':') + 1));
      int& before = last[event.substr(0, event.find(':'))];
      CHECK(sequence == before + 1);
      before = sequence;
      at = next + 1;
    }
    sent.answer(200);
  }
  CHECK(fixture.status(id).delivered == 2'000);
  CHECK(fixture.status(id).dead_letters == 0);
}
