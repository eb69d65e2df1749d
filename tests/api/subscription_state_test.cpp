// Where a subscription stands, since when and why, and what is told when secrets or the journal cannot be used.

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <variant>

#include "tests/api/room_fixture.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

/// Whether a path of the server is in it.
bool shows_path(const RoomFixture& fixture, const std::string& text) {
  return text.find(fixture.folder()) != std::string::npos || text.find("/keys") != std::string::npos ||
         text.find(".json") != std::string::npos;
}

/// The answer to a test delivery that is refused before anything is sent.
std::string refusal_of_test(RoomFixture& fixture, const std::string& id) {
  auto slug = std::make_shared<std::promise<std::string>>();
  fixture.room().send_test(
      id, [slug](const std::variant<AttemptOutcome, Problem>& tested) { slug->set_value(slug_of(tested)); });
  auto refused = slug->get_future();
  REQUIRE(refused.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  return refused.get();
}

std::string detail_of(const std::variant<SubscriptionRoom::Created, Problem>& created) {
  const auto* const problem = std::get_if<Problem>(&created);
  return problem == nullptr ? std::string() : problem->detail();
}

}  // namespace

TEST_CASE("SubscriptionState.EachHasAReasonAndATime") {
  RoomFixture fixture;
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  request.definition.on_dead_letter = OnDeadLetter::Stop;
  const std::string id = fixture.subscribe(std::move(request));
  const auto standing = [&] { return fixture.status(id).standing; };
  CHECK(standing().state == SubscriptionState::Active);
  CHECK(standing().reason.empty());
  CHECK(standing().since == fixture.status(id).definition.created);
  Timestamp before = standing().since;
  const auto is_later = [&] {
    const bool later = standing().since > before;
    before = standing().since;
    return later;
  };

  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  CHECK(standing().state == SubscriptionState::Paused);
  CHECK(standing().reason.empty());
  CHECK(is_later());
  // Once more changes nothing, and a restart neither.
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  CHECK(standing().since == before);
  fixture.reopen();
  CHECK(standing().state == SubscriptionState::Paused);
  CHECK(standing().since == before);
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  CHECK(standing().state == SubscriptionState::Active);
  CHECK(is_later());

  fixture.append("a");
  fixture.sender.next().answer(500);
  fixture.wait_for_state(id, SubscriptionState::Stopped);
  CHECK(standing().reason == "status 500");
  CHECK(is_later());
  wait_until([&] { return fixture.logged(subscription_event::kStateChanged) == 3; });
  fixture.reopen();
  CHECK(standing().state == SubscriptionState::Stopped);
  CHECK(standing().reason == "status 500");
  CHECK(standing().since >= before);  // since the log knows it

  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  CHECK(standing().reason.empty());
  CHECK(is_later());
  fixture.sender.next().answer(410);
  fixture.wait_for_state(id, SubscriptionState::Stopped);
  CHECK(standing().reason == "gone 410");
  CHECK(is_later());
}

TEST_CASE("SubscriptionState.WithoutItsSecretsItStopsUntilTheyAreThereAgain") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  const std::string file = fixture.folder() + "/keys/" + id + ".json";
  REQUIRE(std::filesystem::exists(file));
  fixture.close();
  const std::string kept = fixture.folder() + "/kept";
  std::filesystem::copy_file(file, kept);
  SUBCASE("gone") { std::filesystem::remove(file); }
  SUBCASE("damaged") { std::ofstream(file) << R"({"version":1,"signing":[{"secret":"whsec_topsecret"}]})"; }
  SUBCASE("of a later version") { std::ofstream(file) << R"({"version":2,"signing":[],"headers":[]})"; }
  SUBCASE("open to others") {
    std::filesystem::permissions(file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  }
  SUBCASE("in a folder that is open to others") {
    std::filesystem::permissions(fixture.folder() + "/keys", std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
  }
  fixture.open();
  const SubscriptionStanding standing = fixture.status(id).standing;
  CHECK(standing.state == SubscriptionState::Stopped);
  CHECK(standing.reason == "its secrets in the key store cannot be read");
  CHECK(standing.since > fixture.status(id).definition.created);
  CHECK(fixture.reported().find(id) != std::string::npos);
  CHECK(fixture.reported().find("topsecret") == std::string::npos);
  fixture.append("a");
  // Nothing is sent without a signature, not even to try it, and nothing is made up.
  CHECK(refusal_of_test(fixture, id) == "unavailable");
  CHECK(slug_of(fixture.room().rotate_secret(id, {})) == "unavailable");
  ChangeRequest change;
  change.definition = fixture.status(id).definition;
  change.definition.attempts_max = 3;
  CHECK(slug_of(fixture.room().change(id, std::move(change), {})) == "unavailable");
  const auto resumed = fixture.room().resume(id, {});
  CHECK(slug_of(resumed) == "unavailable");
  CHECK_FALSE(shows_path(fixture, std::get<Problem>(resumed).detail()));
  CHECK(fixture.status(id).standing.state == SubscriptionState::Stopped);
  CHECK(fixture.sender.waiting() == 0);

  std::filesystem::remove(file);
  std::filesystem::copy_file(kept, file);
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::permissions(fixture.folder() + "/keys", std::filesystem::perms::owner_all);
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  auto sent = fixture.sender.next();
  CHECK(sent.outline() == "a:1");
  CHECK(sent.header("webhook-signature").starts_with("v1,"));
  sent.answer(200);
  fixture.wait_done(id);
}

TEST_CASE("SubscriptionState.WithoutAKeyStoreNoWebhookIsMade") {
  RoomFixture fixture;
  const std::string blocked = fixture.folder() + "/keys";
  std::ofstream(blocked) << "a file, where the folder should be";
  const auto created = fixture.room().create(RoomFixture::webhook(), {});
  CHECK(slug_of(created) == "unavailable");
  CHECK_FALSE(shows_path(fixture, detail_of(created)));
  CHECK(fixture.reported().find(blocked) != std::string::npos);
  CHECK(fixture.room().list("", 10).empty());
  CHECK(fixture.logged(subscription_event::kCreated) == 0);
  // Who pulls needs none.
  (void)fixture.subscribe(RoomFixture::pulled());
  std::filesystem::remove(blocked);
  (void)fixture.subscribe(RoomFixture::webhook());
  CHECK(fixture.logged(subscription_event::kCreated) == 2);
}

TEST_CASE("SubscriptionState.WithoutAJournalOfDeliveriesNoneIsMade") {
  RoomFixture fixture;
  const std::string blocked = fixture.folder() + "/data/deliveries";
  REQUIRE_FALSE(std::filesystem::exists(blocked));
  std::ofstream(blocked) << "a file, where the folder should be";
  for (const SubscribeRequest& request : {RoomFixture::webhook(), RoomFixture::pulled()}) {
    const auto created = fixture.room().create(request, {});
    CHECK(slug_of(created) == "unavailable");
    CHECK(detail_of(created).find("deliveries") != std::string::npos);
    CHECK_FALSE(shows_path(fixture, detail_of(created)));
  }
  CHECK(fixture.reported().find(blocked) != std::string::npos);
  CHECK(fixture.logged(subscription_event::kCreated) == 0);
  CHECK_FALSE(std::filesystem::exists(fixture.folder() + "/keys"));
  std::filesystem::remove(blocked);
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  fixture.sender.next().answer(200);
  fixture.wait_done(id);
}
