// JWTs that were verified before.

#include <doctest/doctest.h>

#include <memory>

#include "tests/api/access_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("JwtCache.KnowsATokenForItsKeysUntilItExpires") {
  JwtCache cache;
  const auto keys = std::make_shared<const JwkSet>();
  const Digest token = hash_of_secret("token");
  const auto principal = std::make_shared<const Principal>();
  CHECK_FALSE(cache.find(token, keys, Timestamp{0}));
  cache.put(token, keys, {principal, Timestamp{100}});
  CHECK(cache.find(token, keys, Timestamp{99}) == principal);
  CHECK_FALSE(cache.find(token, keys, Timestamp{100}));
  CHECK_FALSE(cache.find(hash_of_secret("other"), keys, Timestamp{99}));
  CHECK_FALSE(cache.find(token, std::make_shared<const JwkSet>(), Timestamp{99}));
  CHECK(cache.hits() == 1);
  CHECK(cache.misses() == 4);
}
