// Subscriptions at work: what is delivered, in which order, what becomes of failures, what outlives a restart.

#include <doctest/doctest.h>

#include "api/subscriptions/circuit_breaker.h"
#include "api/subscriptions/delivery_rate.h"
#include "api/subscriptions/delivery_records.h"
#include "api/subscriptions/subscription_log.h"
#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Outcome = WebhookAnswer::Outcome;

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

std::string slug_of(const std::optional<Problem>& problem) {
  return problem ? std::string(problem->kind().slug) : std::string();
}
template <class Value>
std::string slug_of(const std::variant<Value, Problem>& answer) {
  const auto* problem = std::get_if<Problem>(&answer);
  return problem == nullptr ? std::string() : std::string(problem->kind().slug);
}

}  // namespace

TEST_CASE("SubscriptionRoom.EventsAreDeliveredInTheOrderOfTheirAggregatesFromNowOn") {
  RoomFixture fixture;
  fixture.append("before");
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  auto first = fixture.sender.next();
  CHECK(first.outline() == "a:1");
  fixture.append("a");
  fixture.append("b");
  auto other = fixture.sender.next();
  CHECK(other.outline() == "b:1");
  other.answer(204);
  CHECK(fixture.sender.waiting() == 0);
  first.answer(200);
  auto second = fixture.sender.next();
  CHECK(second.outline() == "a:2");
  second.answer(200);
  fixture.wait_done(id);
  const SubscriptionStatus status = fixture.status(id);
  CHECK(status.delivered == 3);
  CHECK(status.in_flight == 0);
  CHECK(status.standing.state == SubscriptionState::Active);
  CHECK(fixture.room().attempts(id).size() == 3);
}

TEST_CASE("DeliveryRecords.TellOnceWhatEachSubscriptionHasDoneSince") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  (void)fixture.subscribe(RoomFixture::webhook());
  std::mutex mutex;
  std::vector<std::string> told;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return told.size();
  };
  {
    const DeliveryRecords records(
        fixture.room(),
        [&](const std::string& subscription, std::string details) {
          const std::lock_guard lock(mutex);
          told.push_back(subscription + details);
        },
        std::chrono::milliseconds(1));
    fixture.append("a");
    auto sent = fixture.sender.next();
    auto other = fixture.sender.next();
    if (!sent.id().starts_with(id)) std::swap(sent, other);
    sent.answer(200);
    wait_until([&] { return count() == 1; });
    fixture.wait_done(id);
  }
  // Nothing more was done since, and the other one has done nothing at all.
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with(id + R"({"delivered":1,"failures":0,)"));
  CHECK(told[0].ends_with(R"("state":"active","breakerOpen":false})"));
}

TEST_CASE("SubscriptionRoom.TheIdStaysOverRetriesAndIsNewForEachSetOfEvents") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  auto sent = fixture.sender.next();
  const std::string first = sent.id();
  CHECK(first.starts_with(id));
  sent.answer(500);
  sent = fixture.sender.next();
  CHECK(sent.id() == first);
  sent.fail(Outcome::ConnectFailed);
  sent = fixture.sender.next();
  CHECK(sent.id() == first);
  sent.answer(200);
  fixture.append("a");
  sent = fixture.sender.next();
  CHECK(sent.outline() == "a:2");
  CHECK(sent.id() != first);
  sent.answer(200);
  fixture.wait_done(id);
  const auto attempts = fixture.room().attempts(id);
  REQUIRE(attempts.size() == 4);
  CHECK(attempts[0].status == 500);
  CHECK(attempts[0].error == "status");
  CHECK(attempts[1].error == "connect-failed");
  CHECK(attempts[2].delivered);
  CHECK(attempts[2].attempt == 3);
}

TEST_CASE("SubscriptionRoom.AfterARestartItGoesOnWhereItWas") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.from = StartAt{StartAt::Kind::Beginning, {}, {}};
  fixture.append("a");
  const std::string id = fixture.subscribe(std::move(request));
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1");
  const std::string number = sent.id();
  sent.answer(200);
  fixture.append("a");
  sent = fixture.sender.next();
  const std::string undecided = sent.id();
  CHECK(undecided != number);
  fixture.reopen();
  sent = fixture.sender.next();
  CHECK(sent.outline() == "a:2");
  CHECK(sent.id() == undecided);
  sent.answer(200);
  fixture.wait_done(id);
  CHECK(fixture.sender.waiting() == 0);

  SUBCASE("and from the log if the files of deliveries are lost, but for what it was told") {
    REQUIRE(!slug_of(fixture.room().pause(id, {})).size());
    fixture.close();
    std::filesystem::remove_all(fixture.folder() + "/data/deliveries");
    fixture.open();
    CHECK(fixture.status(id).standing.state == SubscriptionState::Paused);
    REQUIRE(!slug_of(fixture.room().resume(id, {})).size());
    fixture.append("a");
    sent = fixture.sender.next();
    CHECK(sent.outline() == "a:3");
    CHECK(fixture.status(id).generation == 2);
    sent.answer(200);
    fixture.wait_done(id);
  }
}

TEST_CASE("SubscriptionRoom.DeliveriesThatAreBeyondARestoredLogBeginWhereThatSays") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.close();
  const std::string data = fixture.folder() + "/data";
  std::filesystem::copy(data, fixture.folder() + "/backup", std::filesystem::copy_options::recursive);
  fixture.open();
  for (int i = 0; i < 5; ++i) {
    fixture.append("a");
    fixture.sender.next().answer(200);
  }
  fixture.wait_done(id);
  fixture.close();
  std::filesystem::copy(data + "/deliveries", fixture.folder() + "/backup/deliveries",
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove_all(data);
  std::filesystem::rename(fixture.folder() + "/backup", data);
  fixture.open();
  fixture.append("b");
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "b:1");
  sent.answer(200);
  fixture.wait_done(id);
}

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

TEST_CASE("SubscriptionRoom.TheReceiverCanEndIt") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  fixture.sender.next().answer(410);
  fixture.wait_for_state(id, SubscriptionState::Stopped);
  CHECK(fixture.status(id).standing.reason == "gone 410");
  CHECK(slug_of(fixture.room().seek(id, {}, {})) == "subscription-not-paused");
  fixture.reopen();
  fixture.append("b");
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1");
  sent.answer(200);
  sent = fixture.sender.next();
  CHECK(sent.outline() == "b:1");
  sent.answer(200);
  fixture.wait_done(id);
}

TEST_CASE("SubscriptionRoom.NothingIsAttemptedWhileItIsPausedAndASeekBeginsAnew") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  auto late = fixture.sender.next();
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  fixture.append("b");
  REQUIRE(slug_of(fixture.room().seek(id, {.from = {StartAt::Kind::Beginning, {}, {}}, .dry_run = true}, {})).empty());
  CHECK(fixture.status(id).generation == 1);
  REQUIRE(slug_of(fixture.room().seek(id, {.from = {StartAt::Kind::Beginning, {}, {}}}, {})).empty());
  CHECK(fixture.status(id).generation == 2);
  late.answer(410);  // of no account any more
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1");
  CHECK(sent.id() != late.id());
  sent.answer(200);
  sent = fixture.sender.next();
  CHECK(sent.outline() == "b:1");
  sent.answer(200);
  fixture.wait_done(id);
  CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
}

TEST_CASE("SubscriptionRoom.AChangeHoldsOnceWhatIsUnderWayHasEnded") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a", "T");
  auto sent = fixture.sender.next();
  ChangeRequest change;
  change.definition = fixture.status(id).definition;
  change.definition.url = "https://other.example/";
  change.definition.event_types = {"U"};
  REQUIRE(slug_of(fixture.room().change(id, std::move(change), {})).empty());
  fixture.append("b", "T");
  fixture.append("c", "U");
  CHECK(sent.request.url == "https://receiver.example/hook");
  sent.answer(200);
  sent = fixture.sender.next();
  CHECK(sent.outline() == "c:1");
  CHECK(sent.request.url == "https://other.example/");
  sent.answer(200);
  fixture.wait_done(id);
  fixture.reopen();
  CHECK(fixture.status(id).definition.url == "https://other.example/");
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

TEST_CASE("SubscriptionRoom.OneThatIsReplacedEndsAndTheOtherGoesOnThere") {
  RoomFixture fixture;
  const std::string old = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  fixture.sender.next().answer(200);
  fixture.wait_done(old);
  REQUIRE(slug_of(fixture.room().pause(old, {})).empty());
  fixture.append("a");
  SubscribeRequest request = RoomFixture::webhook();
  request.replaces = old;
  const std::string id = fixture.subscribe(std::move(request));
  CHECK_FALSE(fixture.room().status(old));
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:2");
  sent.answer(200);
  fixture.wait_done(id);
  fixture.reopen();
  CHECK_FALSE(fixture.room().status(old));
  CHECK(fixture.room().status(id));
}

TEST_CASE("SubscriptionRoom.SecretsAreKeptAndRotated") {
  RoomFixture fixture;
  auto created = fixture.room().create(RoomFixture::webhook(), {});
  const auto& made = std::get<SubscriptionRoom::Created>(created);
  const std::string id = made.status.definition.id;
  const auto first = WebhookSecret::parse(*made.secret);
  REQUIRE(first);
  const auto signatures = [&] {
    fixture.append("a");
    auto sent = fixture.sender.next();
    std::string signature, time;
    for (const auto& [name, value] : sent.request.headers) {
      if (name == "webhook-signature") signature = value;
      if (name == "webhook-timestamp") time = value;
    }
    const std::string by_first = first->sign(sent.id(), std::stoll(time), sent.request.body);
    sent.answer(200);
    fixture.wait_done(id);
    return std::pair(by_first, signature);
  };
  auto [by_first, all] = signatures();
  CHECK(all == by_first);
  fixture.reopen();
  std::tie(by_first, all) = signatures();
  CHECK(all == by_first);
  const auto rotated = fixture.room().rotate_secret(id, {});
  REQUIRE(std::get<std::string>(rotated) != *made.secret);
  std::tie(by_first, all) = signatures();
  CHECK(all.ends_with(" " + by_first));
  REQUIRE(!slug_of(fixture.room().rotate_secret(id, {})).size());
  std::tie(by_first, all) = signatures();
  CHECK(all.find(by_first) == std::string::npos);
}

TEST_CASE("SubscriptionRoom.ADeletedOneIsGoneAndLateAnswersAreOfNoAccount") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  auto sent = fixture.sender.next();
  CHECK(slug_of(fixture.room().remove(id, {})).empty());
  CHECK(slug_of(fixture.room().remove(id, {})) == "subscription-not-found");
  sent.answer(200);
  fixture.append("b");
  fixture.reopen();
  CHECK(fixture.room().list("", 10).empty());
  CHECK(fixture.sender.waiting() == 0);
}

TEST_CASE("SubscriptionRoom.Pull.ConsumersGetDifferentEventsAndAcknowledgeThem") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  CHECK(fixture.pull_events(id, 10, std::chrono::milliseconds(0)).events.empty());
  for (const char* aggregate : {"a", "b", "a", "c"}) fixture.append(aggregate);
  const PulledBatch first = fixture.pull_events(id, 2);
  CHECK(outline(first) == "a:1 b:1");
  const PulledBatch second = fixture.pull_events(id, 2);
  CHECK(outline(second) == "c:1");
  CHECK(fixture.status(id).in_flight == 3);
  CHECK(slug_of(fixture.room().ack(id, first.lease_id, std::nullopt)).empty());
  CHECK(slug_of(fixture.room().ack(id, first.lease_id, std::nullopt)) == "lease-expired");
  const PulledBatch third = fixture.pull_events(id, 2);
  CHECK(outline(third) == "a:2");
  const Uuid foreign = first.events.front().record->header().event_id;
  CHECK(slug_of(fixture.room().ack(id, third.lease_id, std::vector{foreign})) == "invalid-request");
  CHECK(
      slug_of(fixture.room().ack(id, third.lease_id, std::vector{third.events[0].record->header().event_id})).empty());
  CHECK(slug_of(fixture.room().nack(id, second.lease_id, std::nullopt, std::chrono::milliseconds(0))).empty());
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
  wait_until([&] { return fixture.logged(subscription_event::kDeadLetters) == 1; });
  fixture.reopen();
  for (int day = 1; day <= 5; ++day) {
    CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
    later(std::chrono::hours(24));
    fail_one("c" + std::to_string(day));
  }
  fixture.wait_for_state(id, SubscriptionState::Disabled);
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
  REQUIRE(slug_of(fixture.room().drop(id, fixture.room().dead_letters(id, Position{0}, 1).front().position)).empty());
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

TEST_CASE("SubscriptionRoom.ADeletedOneStaysDeletedWhateverItTellsOfItself") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  const SubscriptionDefinition definition = fixture.status(id).definition;
  REQUIRE(slug_of(fixture.room().remove(id, {})).empty());
  const auto told = append_subscription_event(fixture.store(), definition, subscription_event::kCheckpoint, {}, {}, {},
                                              system_clock());
  REQUIRE(slug_of(told).empty());
  fixture.reopen();
  CHECK(fixture.room().list("", 10).empty());
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

TEST_CASE("CircuitBreaker.OpensAfterSomeOutagesAndClosesWithTheFirstAnswer") {
  CircuitBreaker breaker;
  Timestamp now{1'000'000'000};
  for (int i = 1; i < CircuitBreaker::kOutagesMax; ++i) breaker.outage(now);
  CHECK(breaker.admits(now, 7));
  breaker.outage(now);
  CHECK_FALSE(breaker.admits(now, 0));
  now = breaker.next();
  CHECK(breaker.admits(now, 0));
  CHECK_FALSE(breaker.admits(now, 1));
  const std::int64_t first = breaker.next().micros;
  for (int i = 0; i < 20; ++i) {
    breaker.outage(now);
    CHECK(breaker.next().micros - now.micros <= std::chrono::microseconds(CircuitBreaker::kPauseLast).count());
  }
  CHECK(breaker.next().micros > first);
  breaker.in_order();
  CHECK(breaker.admits(now, 7));
}

TEST_CASE("DeliveryRate.HoldsASecondsWorthAndIsPaidForLater") {
  Timestamp now{1'000'000'000};
  DeliveryRate rate(10);
  CHECK(rate.available(now) == 10);
  rate.spend(25);
  CHECK(rate.available(now) == 0);
  now = rate.next(now);
  CHECK(rate.available(now) >= 1);
  CHECK(now.micros - 1'000'000'000 >= 1'600'000);
  now.micros += 3'600'000'000;
  CHECK(rate.available(now) == 10);
  DeliveryRate none(0);
  none.spend(1'000'000);
  CHECK(none.available(now) > 1'000'000);
}

TEST_CASE("SubscriptionRoom.TheWatermarkMovesOnWithoutMatches") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.event_types = {"Rare"};
  const std::string id = fixture.subscribe(std::move(request));
  for (int i = 0; i < 10; ++i) fixture.append("a", "Common");
  fixture.wait_done(id);
  CHECK(fixture.status(id).delivered == 0);
}

TEST_CASE("SubscriptionRoom.ATestGoesTheWayOfAllDeliveries") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  std::promise<AttemptOutcome> tested;
  fixture.room().send_test(id, [&](std::variant<AttemptOutcome, Problem> outcome) {
    tested.set_value(std::get<AttemptOutcome>(std::move(outcome)));
  });
  auto sent = fixture.sender.next();
  CHECK(sent.request.body.find("stele.test") != std::string::npos);
  CHECK(!sent.id().empty());
  sent.answer(302, "moved");
  const AttemptOutcome outcome = tested.get_future().get();
  CHECK_FALSE(outcome.delivered);
  CHECK(outcome.status == 302);
  CHECK(outcome.answer == "moved");
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
