#include "net/server/deadlines.h"

#include <doctest/doctest.h>

namespace stele::tests {

using net::HttpLimits;
using net::WriteDeadline;

TEST_CASE("Deadlines.AReaderThatKeepsUpMayTakeLongerThanTheDeadline") {
  HttpLimits limits;
  limits.write_ms = 1'000;
  std::int64_t now = 5;
  WriteDeadline deadline(limits, now);
  for (int window = 0; window < 100; ++window) {
    now += 999;
    REQUIRE(now < deadline.at_ms());
    // In whichever pieces the socket takes it.
    for (int piece = 0; piece < 4; ++piece) deadline.wrote(WriteDeadline::window_bytes / 4, now);
  }
}

TEST_CASE("Deadlines.AReaderThatTakesLessThanAWindowGainsNothing") {
  HttpLimits limits;
  limits.write_ms = 1'000;
  WriteDeadline deadline(limits, 5);
  CHECK(deadline.at_ms() == 1'005);
  for (std::int64_t now = 6; now < 1'005; ++now) deadline.wrote(WriteDeadline::window_bytes / 1'000, now);
  CHECK(deadline.at_ms() == 1'005);
}

TEST_CASE("Deadlines.ABodyThatKeepsComingMayTakeLongerButNotForEver") {
  HttpLimits limits;
  limits.body_grace_ms = 100;
  limits.body_rate_min = 1'000;
  limits.body_ms = 5'000;
  CHECK(net::body_deadline_ms(limits, 7, 0) == 107);
  CHECK(net::body_deadline_ms(limits, 7, 2'000) == 2'107);
  CHECK(net::body_deadline_ms(limits, 7, 1'000'000) == 5'007);
  limits.body_rate_min = 0;
  CHECK(net::body_deadline_ms(limits, 7, 0) == 107);
}

}  // namespace stele::tests
