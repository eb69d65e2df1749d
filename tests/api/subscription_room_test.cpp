// Subscriptions at work: what is delivered, in which order, what outlives a restart.

#include <doctest/doctest.h>

#include "api/subscriptions/subscription_log.h"
#include "tests/api/room_fixture.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Outcome = WebhookAnswer::Outcome;

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
  // The second event may be held back behind the first one still, so that all before the end counts as done.
  wait_until([&] { return fixture.room().attempts(id).size() == 4; });
  const auto attempts = fixture.room().attempts(id);
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

TEST_CASE("SubscriptionRoom.ASecretMayBeRotatedWhileAnAttemptIsUnderWay") {
  RoomFixture fixture;
  auto created = fixture.room().create(RoomFixture::webhook(), {});
  const auto& made = std::get<SubscriptionRoom::Created>(created);
  const std::string id = made.status.definition.id;
  const auto first = WebhookSecret::parse(*made.secret);
  REQUIRE(first);
  const auto signed_by = [](const WebhookSecret& secret, const TestSender::Sent& sent) {
    return secret.sign(sent.id(), std::stoll(sent.header("webhook-timestamp")), sent.request.body);
  };
  fixture.append("a");
  auto sent = fixture.sender.next();
  const std::string number = sent.id();
  CHECK(sent.header("webhook-signature") == signed_by(*first, sent));
  const auto rotated = fixture.room().rotate_secret(id, {});
  REQUIRE(slug_of(rotated).empty());
  const auto second = WebhookSecret::parse(std::get<std::string>(rotated));
  REQUIRE(second);
  std::uint64_t failures = 0;
  SUBCASE("that succeeds") { sent.answer(200); }
  SUBCASE("that fails") {
    sent.answer(500);
    sent = fixture.sender.next();
    CHECK(sent.outline() == "a:1");
    CHECK(sent.id() == number);
    CHECK(sent.header("webhook-signature") == signed_by(*second, sent) + " " + signed_by(*first, sent));
    sent.answer(200);
    failures = 1;
  }
  fixture.append("a");
  sent = fixture.sender.next();
  CHECK(sent.outline() == "a:2");
  CHECK(sent.header("webhook-signature") == signed_by(*second, sent) + " " + signed_by(*first, sent));
  sent.answer(200);
  fixture.wait_done(id);
  wait_until([&] { return fixture.status(id).delivered == 2; });
  CHECK(fixture.status(id).failures == failures);
}

TEST_CASE("SubscriptionRoom.AnAdministratorAdoptsWhatTheSubjectOfAJwtHasMade") {
  RoomFixture fixture;
  const auto caller = [](const char* name, Role role, bool has_key, std::vector<std::string> types = {}) {
    return SubscriptionChanger{Caller(std::make_shared<Principal>(Principal{name, role, std::move(types), has_key})),
                               {}};
  };
  const auto create = [&](const SubscriptionChanger& by) {
    auto created = fixture.room().create(RoomFixture::webhook(), by);
    return std::get<SubscriptionRoom::Created>(created).status.definition.id;
  };
  const SubscriptionChanger admin = caller("root", Role::Admin, true);
  const std::string id = create(caller("ada", Role::Service, false, {"Mission"}));
  const auto owner = [&] { return fixture.status(id).definition.owner; };
  const SubscriptionOwner before = owner();
  CHECK(before.aggregate_types == std::vector<std::string>{"Mission"});
  REQUIRE(slug_of(fixture.room().pause(id, admin)).empty());
  REQUIRE(slug_of(fixture.room().resume(id, caller("ada", Role::Service, false))).empty());
  CHECK(owner() == before);
  SUBCASE("paused") { REQUIRE(slug_of(fixture.room().pause(id, admin)).empty()); }
  SUBCASE("active") {}
  REQUIRE(slug_of(fixture.room().resume(id, admin)).empty());
  CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
  CHECK(owner() == SubscriptionOwner{"root", true, Role::Admin, {}});
  // It has what its new owner may see.
  fixture.append("a");
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1");
  sent.answer(200);
  fixture.wait_done(id);
  fixture.reopen();
  CHECK(owner().name == "root");

  const std::string of_key = create(caller("bob", Role::Service, true));
  REQUIRE(slug_of(fixture.room().pause(of_key, admin)).empty());
  REQUIRE(slug_of(fixture.room().resume(of_key, admin)).empty());
  CHECK(fixture.status(of_key).definition.owner.name == "bob");
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
