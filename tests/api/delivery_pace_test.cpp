// How fast deliveries may go, and when none is tried.

#include <doctest/doctest.h>

#include "api/subscriptions/circuit_breaker.h"
#include "api/subscriptions/delivery_rate.h"
#include "tests/api/room_fixture.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

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
