// What the audit trail says of the files of keys that callers are known by.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/access/key_watch.h"
#include "api/access/known_key.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "tests/api/access_support.h"
#include "tests/api/audit_support.h"
#include "tests/support/eventually.h"
#include "tests/support/one_thread.h"

namespace stele::api::test {

namespace {

ApiKey key_of(const std::string& id, const std::string& secret, Role role = Role::Reader) {
  ApiKey key;
  key.id = id;
  key.hash = hash_of_secret(secret);
  key.principal = {"of-" + id, role, {}};
  key.created = Timestamp{1'700'000'000'000'000};
  return key;
}

void write_keys(const TestKeys& keys, const std::vector<ApiKey>& list) {
  REQUIRE(write_api_keys(keys.store(), list).has_value());
}

/// Keeps what it is told.
struct Listener {
  std::mutex mutex;
  std::vector<KeyFileNews> news;
  [[nodiscard]] KeyFileTold told() {
    return [this](KeyFileNews one) {
      const std::lock_guard lock(mutex);
      news.push_back(std::move(one));
    };
  }
};

constexpr std::string_view kNothing = R"({"added":[],"removed":[],"changed":[]})";

}  // namespace

TEST_CASE("KnownKeys.AllAreToldInAsManyObjectsAsItTakes" * tests::one_thread()) {
  std::vector<KnownKey> keys;
  for (int i = 0; i < 2'000; ++i) {
    const std::string id = std::to_string(100'000 + i);
    keys.push_back({id, R"({"id":")" + id + R"(","name":")" + std::string(50, 'n') + R"("})", {}});
  }
  const auto ids_in = [](const std::vector<std::string>& pieces, const char* list) {
    std::vector<std::string> ids;
    for (const std::string& piece : pieces) {
      CHECK(piece.size() < 40'000);
      for (int i = 0;; ++i) {
        const std::string id = text_at(piece, "/" + std::string(list) + "/" + std::to_string(i) + "/id");
        if (id == "none") break;
        ids.push_back(id);
      }
    }
    return ids;
  };
  const auto are_all = [&](const std::vector<std::string>& ids) {
    return std::equal(ids.begin(), ids.end(), keys.begin(), keys.end(),
                      [](const std::string& id, const KnownKey& key) { return id == key.id; });
  };
  const auto pieces = details_of_keys(keys);
  CHECK(pieces.size() > 2);
  CHECK(are_all(ids_in(pieces, "keys")));
  CHECK(are_all(ids_in(details_of_change({}, keys), "added")));
  CHECK(are_all(ids_in(details_of_change(keys, {}), "removed")));
  CHECK(details_of_change(keys, keys).empty());
  CHECK(details_of_keys({}) == std::vector<std::string>{R"({"keys":[]})"});
}

TEST_CASE("Audit.ToldOfKeysIsWhatChangedAndNothingOfASecret") {
  TestKeys keys;
  const std::vector<ApiKey> first{key_of("k1", "one"), key_of("k2", "two", Role::Writer), key_of("k3", "three")};
  write_keys(keys, first);
  AuditSettings settings;
  settings.look_interval = std::chrono::hours(1);  // requests look
  ServiceOptions options = audited(settings);
  options.authenticator = keys.open();
  TestService service(options);

  std::vector<ApiKey> next{key_of("k2", "two", Role::Writer), key_of("k3", "another"),
                           key_of("k4", "stele_four", Role::Auditor)};
  next[0].revoked = Timestamp{1'800'000'000'000'000};
  next[2].principal.aggregate_types = {"A", "B"};
  next[2].expires = Timestamp{1'900'000'000'000'000};
  write_keys(keys, next);
  const TestService::Headers auditor{{"Authorization", "Bearer stele_four"}};
  next[2].principal.aggregate_types.clear();
  // The first look sees the first change, the second one another.
  CHECK(service.get("/v1/head", {{"Authorization", "Bearer stele_nobody"}}).status == 401);
  write_keys(keys, next);

  const auto read = wait_for_records(service, "?action=access.keys-read", 1, auditor);
  REQUIRE(read.size() == 1);
  CHECK(text_at(read[0], "/resource") == "access:api-keys");
  CHECK(text_at(read[0], "/outcome") == "done");
  CHECK(json_at(read[0], "/userId") == "null");
  CHECK(json_at(read[0], "/details/keys/1") ==
        R"({"id":"k2","name":"of-k2","role":"writer","created":"2023-11-14T22:13:20.000000Z"})");
  CHECK(json_at(read[0], "/details/keys/3") == "none");

  auto changed = wait_for_records(service, "?action=access.keys-changed", 2, auditor);
  REQUIRE(changed.size() == 2);
  CHECK(json_at(changed[0], "/details/added") ==
        R"([{"id":"k4","name":"of-k4","role":"auditor","aggregateTypes":["A","B"],)"
        R"("created":"2023-11-14T22:13:20.000000Z","expires":"2030-03-17T17:46:40.000000Z"}])");
  CHECK(json_at(changed[0], "/details/removed/0/id") == R"("k1")");
  CHECK(json_at(changed[0], "/details/removed/1") == "none");
  CHECK(json_at(changed[0], "/details/changed/0/before/revoked") == "none");
  CHECK(text_at(changed[0], "/details/changed/0/after/revoked") == "2027-01-15T08:00:00.000000Z");
  CHECK(json_at(changed[0], "/details/changed/0/anotherKey") == "none");
  CHECK(text_at(changed[0], "/details/changed/1/after/id") == "k3");
  CHECK(json_at(changed[0], "/details/changed/1/anotherKey") == "true");
  CHECK(json_at(changed[0], "/details/changed/2") == "none");
  CHECK(json_at(changed[1], "/details/added") == "[]");
  CHECK(text_at(changed[1], "/details/changed/0/after/id") == "k4");

  // A file that makes no sense is told once, and so is that it does again.
  REQUIRE(keys.store().write(kApiKeysFile, "{").has_value());
  for (int i = 0; i < 3; ++i) CHECK(service.get("/v1/head", auditor).status == 200);
  const auto failed = wait_for_records(service, "?action=access.keys-changed&outcome=failed", 1, auditor);
  REQUIRE(failed.size() == 1);
  CHECK(is_in(text_at(failed[0], "/details/error"), "damaged"));
  CHECK_FALSE(is_in(failed[0], keys.file("")));
  write_keys(keys, next);
  CHECK(service.get("/v1/head", auditor).status == 200);
  changed = wait_for_records(service, "?action=access.keys-changed&outcome=done", 3, auditor);
  CHECK(json_at(changed[2], "/details") == kNothing);
  // Written again as it was it has not changed.
  write_keys(keys, next);
  CHECK(service.get("/v1/head", auditor).status == 200);
  next.pop_back();
  next.push_back(key_of("k5", "stele_five", Role::Auditor));
  write_keys(keys, next);
  const TestService::Headers fifth{{"Authorization", "Bearer stele_five"}};
  changed = wait_for_records(service, "?action=access.keys-changed&outcome=done", 4, fifth);
  REQUIRE(changed.size() == 4);
  CHECK(text_at(changed[3], "/details/removed/0/id") == "k4");

  for (const std::string& record : records_of(service, "", fifth)) {
    for (const std::vector<ApiKey>& list : {first, next}) {
      for (const ApiKey& key : list) {
        CHECK_FALSE(is_in(record, base64url_encode(as_bytes(key.hash))));
        CHECK_FALSE(is_in(record, base64_encode(as_bytes(key.hash))));
      }
    }
  }
}

TEST_CASE("Audit.AChangeOfKeysThatNobodyUsesIsToldToo") {
  TestKeys keys;
  AuditSettings settings;
  settings.look_interval = std::chrono::milliseconds(1);
  ServiceOptions options = audited(settings);
  options.authenticator = keys.open();
  TestService service(options);
  write_keys(keys, {key_of("k1", "one")});
  const auto told = [&] {
    const auto trail = trail_of(service);
    return std::count_if(trail.begin(), trail.end(), [](const std::string& record) {
      return text_at(record, "/action") == "access.keys-changed" && text_at(record, "/details/added/0/id") == "k1";
    });
  };
  wait_until([&] { return told() > 0; });
  CHECK(told() == 1);
}

TEST_CASE("KeyWatch.LooksOnceMoreAtTheEndAndTellsNobodyAfterwards") {
  TestKeys keys;
  const auto authenticator = keys.open();
  Listener listener;
  {
    const KeyWatch watch(*authenticator, listener.told(), std::chrono::hours(1));
    REQUIRE(listener.news.size() == 1);
    CHECK(listener.news[0].kind == KeyFileNews::Kind::Read);
    CHECK(listener.news[0].details == R"({"keys":[]})");
    write_keys(keys, {key_of("k1", "one")});
  }
  REQUIRE(listener.news.size() == 2);
  CHECK(listener.news[1].kind == KeyFileNews::Kind::Changed);
  CHECK(text_at(listener.news[1].details, "/added/0/id") == "k1");
  write_keys(keys, {});
  authenticator->look();
  CHECK(listener.news.size() == 2);
}

TEST_CASE("KeyWatch.TellsOfKeysOfJwtsByTheirKid") {
  const SigningKey one(SigningKey::Kind::Ed25519, "one"), two(SigningKey::Kind::P256, "two");
  const SigningKey other_one(SigningKey::Kind::Ed25519, "one");
  TestKeys keys;
  keys.write("jwks.json", jwks({one.jwk()}));
  AuthenticatorOptions access;
  access.jwks_file = keys.file("jwks.json");
  access.jwt = {"issuer", "stele"};
  const auto authenticator = keys.open(std::move(access));
  Listener listener;
  const KeyWatch watch(*authenticator, listener.told(), std::chrono::hours(1));
  REQUIRE(listener.news.size() == 2);
  CHECK(listener.news[1].file == "jwks");
  CHECK(listener.news[1].details == R"({"keys":[{"kid":"one","algorithm":"EdDSA"}]})");
  keys.write("jwks.json", jwks({two.jwk(), other_one.jwk()}));
  authenticator->look();
  REQUIRE(listener.news.size() == 3);
  CHECK(listener.news[2].file == "jwks");
  CHECK(json_at(listener.news[2].details, "/added") == R"([{"kid":"two","algorithm":"ES256"}])");
  CHECK(json_at(listener.news[2].details, "/changed/0/anotherKey") == "true");
  keys.write("jwks.json", "{}");
  authenticator->look();
  REQUIRE(listener.news.size() == 4);
  CHECK(listener.news[3].kind == KeyFileNews::Kind::Unusable);
}

TEST_CASE("KeyWatch.AChangeThatCannotBeToldIsNotInForce") {
  TestKeys keys;
  const auto authenticator = keys.open();
  bool fails = true;
  authenticator->tell([&](KeyFileNews news) {
    if (fails && news.kind == KeyFileNews::Kind::Changed) throw std::bad_alloc();
  });
  write_keys(keys, {key_of("k1", "one")});
  CHECK_THROWS_AS(authenticator->look(), std::bad_alloc);
  fails = false;
  Listener listener;
  authenticator->tell(listener.told());
  CHECK(listener.news[0].details == R"({"keys":[]})");
  CHECK(authenticator->roles_of_keys("of-k1").size() == 1);
  REQUIRE(listener.news.size() == 2);
  CHECK(listener.news[1].kind == KeyFileNews::Kind::Changed);
}

}  // namespace stele::api::test
