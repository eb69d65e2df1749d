// How often one address may fail.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "tests/api/access_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("AuthThrottle.LetsABurstThroughAndThenOneASecond") {
  AuthThrottle limiter;
  std::int64_t now = 1'000'000'000;
  for (int i = 0; i < AuthThrottle::kBurst; ++i) REQUIRE_FALSE(limiter.failed("192.0.2.1", now));
  CHECK(limiter.failed("192.0.2.1", now) == 1);
  now += 999'999;
  CHECK(limiter.failed("192.0.2.1", now) == 1);
  now += 1;
  CHECK_FALSE(limiter.failed("192.0.2.1", now));
  CHECK(limiter.failed("192.0.2.1", now) == 1);
  // Being refused does not make it worse, and waiting makes it good.
  for (int i = 0; i < 1000; ++i) CHECK(limiter.failed("192.0.2.1", now) == 1);
  now += 3'600'000'000;
  for (int i = 0; i < AuthThrottle::kBurst; ++i) REQUIRE_FALSE(limiter.failed("192.0.2.1", now));
  CHECK(limiter.failed("192.0.2.1", now));
}

TEST_CASE("AuthThrottle.CountsIpv6By64AndOthersApart") {
  AuthThrottle limiter;
  for (int i = 0; i < AuthThrottle::kBurst; ++i) {
    REQUIRE_FALSE(limiter.failed("2001:db8:1:2::" + std::to_string(i + 1), 5'000'000));
  }
  CHECK(limiter.failed("2001:db8:1:2:ffff::1%eth0", 5'000'000));
  // Another network has a place of its own, up to the rare address that shares one.
  int apart = 0;
  for (int i = 0; i < 20; ++i) {
    if (!limiter.failed("2001:db8:1:" + std::to_string(i + 100) + "::1", 5'000'000)) ++apart;
  }
  CHECK(apart >= 19);
}
