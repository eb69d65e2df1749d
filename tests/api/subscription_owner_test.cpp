// Subscriptions whose owner ends, or may do less than when it was made: they are suspended.

#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/api/access_support.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

/// A service that looks at the owners all the time, by a clock that keys end by.
struct Owners {
  stele::test::FakeClock clock;
  TestKeys keys;
  std::string admin = keys.add(Role::Admin, "admin");
  stele::test::TempFolder folder;
  TestService service{options()};

  ServiceOptions options() {
    AuthenticatorOptions authenticator;
    authenticator.clock = &clock;
    ServiceOptions made;
    made.authenticator = keys.open(std::move(authenticator));
    made.subscriptions.secrets_folder = folder.path() + "/secrets";
    made.subscriptions.owners_interval = std::chrono::milliseconds(1);
    return made;
  }
  Answer send(Method method, const std::string& target, const std::string& token, const std::string& body = {}) {
    TestService::Headers headers{{"Authorization", "Bearer " + token}};
    if (!body.empty()) headers.emplace("Content-Type", "application/json");
    return service.send(method, target, body, headers);
  }
  std::string subscribe(const std::string& token, const std::string& members = {}) {
    const Answer made =
        send(Method::Post, "/v1/events/subscribe", token, R"({"delivery":{"type":"pull"})" + members + "}");
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return made.header("Location");
  }
  Answer show(const std::string& path) { return send(Method::Get, path, admin); }
  /// With its reason and its time.
  void wait_until_suspended(const std::string& path) {
    wait_until([&] { return show(path).text("/state") == "suspended"; });
    const Answer shown = show(path);
    CHECK(shown.text("/reason") == "its owner has no key any more that may have it");
    CHECK(shown.text("/since") > shown.text("/created"));
    const Answer pulled = send(Method::Post, path + "/pull", admin, "{}");
    CHECK(pulled.status == 409);
    CHECK(pulled.slug() == "subscription-not-active");
    CHECK(pulled.text("/state") == "suspended");
  }
};

}  // namespace

TEST_CASE("SubscriptionOwner.AKeyThatExpiresSuspendsIt") {
  Owners f;
  const std::string ends = f.keys.add(Role::Service, "ends", {}, Timestamp{f.clock.wall + 1'000'000});
  const std::string stays = f.keys.add(Role::Service, "stays");
  const std::string path = f.subscribe(ends), other = f.subscribe(stays);
  CHECK(f.show(path).text("/state") == "active");
  f.clock.wall += 1'000'000;
  CHECK(f.send(Method::Get, path, ends).status == 401);
  f.wait_until_suspended(path);
  CHECK(f.show(other).text("/state") == "active");
  // Not by itself, but when its owner says so, with another key.
  const std::string renewed = f.keys.add(Role::Service, "ends");
  CHECK(f.send(Method::Post, path + "/resume", renewed).text("/state") == "active");
  CHECK(f.show(path).text("/owner/name") == "ends");
  CHECK(f.show(path).at("/reason") == "null");
}

TEST_CASE("SubscriptionOwner.ALowerRoleSuspendsIt") {
  Owners f;
  const std::string before = f.keys.add(Role::Service, "ada");
  const std::string path = f.subscribe(before);
  for (const Role role : {Role::Writer, Role::Auditor}) {
    CAPTURE(name_of(role));
    const std::string lower = f.keys.add(role, "ada");
    f.keys.revoke(before);
    f.wait_until_suspended(path);
    CHECK(f.send(Method::Post, path + "/resume", lower).slug() == "insufficient-role");
    CHECK(f.show(path).text("/state") == "suspended");
  }
  // An administrator takes it over, and is its owner from there on.
  CHECK(f.send(Method::Post, path + "/resume", f.admin).text("/owner/name") == "admin");
  CHECK(f.show(path).text("/state") == "active");
  CHECK(f.send(Method::Post, path + "/pull", f.admin, "{}").status == 200);
}

TEST_CASE("SubscriptionOwner.WhoMayNotSeeTheStoresOwnEventsAnyMoreGetsNone") {
  Owners f;
  const std::string root = f.keys.add(Role::Admin, "root");
  const std::string lower = f.keys.add(Role::Service, "root");
  const std::string own = f.subscribe(root, R"(,"eventTypes":["T","$SubscriptionCreated"])");
  const std::string plain = f.subscribe(root, R"(,"eventTypes":["T"])");
  CHECK(f.show(own).text("/state") == "active");
  f.keys.revoke(root);
  f.wait_until_suspended(own);
  CHECK(f.show(plain).text("/state") == "active");
  // The key that is left may have subscriptions, but not that one.
  const Answer refused = f.send(Method::Post, own + "/resume", lower);
  CHECK(refused.slug() == "subscription-not-active");
  CHECK(refused.text("/state") == "suspended");
  CHECK(f.send(Method::Post, plain + "/pause", lower).text("/state") == "paused");
  CHECK(f.send(Method::Post, plain + "/resume", lower).text("/state") == "active");
  f.keys.revoke(lower);
  f.wait_until_suspended(plain);
}
