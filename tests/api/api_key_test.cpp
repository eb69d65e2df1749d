// Secrets of API keys, and the list of the keys.

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/api/access_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("ApiKey.SecretsAreLongAndNeverTheSame") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string secret = make_api_secret();
    REQUIRE(secret.starts_with("stele_"));
    REQUIRE(base64url_decode(secret.substr(6)).value_or("").size() == 32);
    REQUIRE(seen.insert(secret).second);
  }
}

TEST_CASE("ApiKey.TheListIsReadAsItWasWritten") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  CHECK(read_api_keys(store)->empty());
  std::vector<ApiKey> written(2);
  written[0] = {"1",          hash_of_secret("a"), {"Ada \"x\"\\ ü", Role::Service, {}},
                Timestamp{1}, Timestamp{2},        Timestamp{3}};
  written[0].principal.aggregate_types = {"A", "B\""};
  written[1] = {"2", hash_of_secret("b"), {"bob", Role::Admin, {}}, Timestamp{4}, std::nullopt, std::nullopt};
  REQUIRE(write_api_keys(store, written));
  const auto read = read_api_keys(store);
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const ApiKey& a = (*read)[i];
    const ApiKey& b = written[i];
    CHECK(a.id == b.id);
    CHECK(a.hash == b.hash);
    CHECK(a.principal.name == b.principal.name);
    CHECK(a.principal.role == b.principal.role);
    CHECK(a.principal.aggregate_types == b.principal.aggregate_types);
    CHECK(a.created == b.created);
    CHECK(a.expires == b.expires);
    CHECK(a.revoked == b.revoked);
  }
}

TEST_CASE("ApiKey.ADamagedListIsRefusedAndGivesNobodyMore") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  const std::string good =
      R"({"version":1,"keys":[{"id":"1","name":"ada","role":"reader","hash":")" +
      base64url_encode(std::string(32, 'h')) +
      R"(","created":"2026-03-01T12:00:00.000000Z","expires":"2026-03-01T12:00:00.000000Z","aggregateTypes":["A"]}]})";
  const auto readable = [&](const std::string& text) {
    REQUIRE(store.write(kApiKeysFile, text));
    return read_api_keys(store).has_value();
  };
  REQUIRE(readable(good));
  for (std::size_t size = 0; size < good.size(); ++size) REQUIRE_FALSE(readable(good.substr(0, size)));
  for (const auto& [what, by] :
       std::vector<std::pair<std::string, std::string>>{{"\"version\":1", "\"version\":2"},
                                                        {"\"reader\"", "\"root\""},
                                                        {"\"reader\"", "7"},
                                                        {"\"ada\"", "\"$ada\""},
                                                        {"[\"A\"]", "[]"},
                                                        {"[\"A\"]", "null"},
                                                        {"[\"A\"]", "[1]"},
                                                        {"\"expires\":\"2026", "\"expires\":\"20x6"},
                                                        {"\"hash\":\"", "\"hash\":\"AA"},
                                                        {"\"id\":\"1\",", ""},
                                                        {"\"keys\":[", "\"keys\":[7,"}}) {
    CAPTURE(what);
    CHECK_FALSE(readable(with_one_replaced(good, what, by)));
  }
}
