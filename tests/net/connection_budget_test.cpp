#include "net/http/connection_budget.h"

#include <doctest/doctest.h>

#include <utility>

namespace stele::net {

TEST_CASE("ConnectionBudget.CountsInTotalPerAddressAndBytes") {
  using Admission = ConnectionBudget::Admission;
  api::ConnectionCounts counts;
  ConnectionBudget budget(3, 2, 100, 100, counts);
  CHECK(budget.enter("a") == Admission::Accepted);
  CHECK(budget.enter("a") == Admission::Accepted);
  CHECK(budget.enter("a") == Admission::TooManyFromAddress);
  CHECK(budget.enter("b") == Admission::Accepted);  // one that is refused takes nobody's place
  CHECK(budget.enter("b") == Admission::TooMany);
  CHECK(budget.connections() == 5);
  budget.leave("a", Admission::TooManyFromAddress);
  budget.leave("b", Admission::TooMany);
  CHECK(budget.enter("a") == Admission::TooMany);
  budget.leave("a", Admission::TooMany);
  budget.leave("b", Admission::Accepted);
  CHECK(budget.enter("a") == Admission::TooManyFromAddress);
  budget.leave("a", Admission::TooManyFromAddress);
  for (int i = 0; i < 2; ++i) budget.leave("a", Admission::Accepted);
  CHECK(budget.connections() == 0);
  CHECK(budget.enter("a") == Admission::Accepted);
  CHECK(budget.take_body_bytes(100, "p"));
  CHECK_FALSE(budget.take_body_bytes(1, "p"));
  budget.give_body_bytes(50, "p");
  CHECK(budget.take_body_bytes(50, "p"));
  budget.force_body_bytes(10, "p");
  budget.give_body_bytes(10, "p");
  CHECK_FALSE(budget.take_body_bytes(1, "p"));
}

TEST_CASE("ConnectionBudget.OneAddressGetsHalfUnlessToldOtherwiseAndLoopbackAll") {
  using Admission = ConnectionBudget::Admission;
  api::ConnectionCounts counts;
  ConnectionBudget budget(4, 0, 0, 0, counts);
  for (const char* loopback : {"127.0.0.1", "127.0.0.1", "127.9.9.9", "::1"}) {
    CHECK(budget.enter(loopback) == Admission::Accepted);
  }
  for (const char* loopback : {"127.0.0.1", "127.0.0.1", "127.9.9.9", "::1"})
    budget.leave(loopback, Admission::Accepted);
  CHECK(budget.enter("192.0.2.1") == Admission::Accepted);
  CHECK(budget.enter("192.0.2.1") == Admission::Accepted);
  CHECK(budget.enter("192.0.2.1") == Admission::TooManyFromAddress);
  CHECK(budget.enter("192.0.2.2") == Admission::Accepted);
  budget.leave("192.0.2.1", Admission::TooManyFromAddress);
  for (int i = 0; i < 2; ++i) budget.leave("192.0.2.1", Admission::Accepted);
  budget.leave("192.0.2.2", Admission::Accepted);
  CHECK(budget.enter("192.0.2.1") == Admission::Accepted);

  api::ConnectionCounts strict_counts;
  ConnectionBudget strict(9, 1, 0, 0, strict_counts);
  CHECK(strict.enter("127.0.0.1") == Admission::Accepted);
  CHECK(strict.enter("127.0.0.1") == Admission::TooManyFromAddress);
}

TEST_CASE("ConnectionBudget.WhatOneAddressIsRefusedIsBoundedTooSoThatOthersAreWelcome") {
  using Admission = ConnectionBudget::Admission;
  api::ConnectionCounts counts;
  ConnectionBudget budget(1000, 0, 0, 0, counts);
  std::size_t held = 0;
  while (budget.enter("192.0.2.1") != Admission::Dropped) ++held;
  CHECK(held == 564);
  CHECK(budget.connections() == 564);
  CHECK(budget.enter("192.0.2.2") == Admission::Accepted);
}

TEST_CASE("ConnectionBudget.ANetworkOfOneIpv6HostIsOneAddress") {
  using Admission = ConnectionBudget::Admission;
  api::ConnectionCounts counts;
  ConnectionBudget budget(9, 2, 0, 0, counts);
  CHECK(budget.enter("2001:db8:0:1::1") == Admission::Accepted);
  CHECK(budget.enter("2001:db8:0:1:ffff::2") == Admission::Accepted);
  CHECK(budget.enter("2001:db8:0:1::3") == Admission::TooManyFromAddress);
  CHECK(budget.enter("2001:db8:0:2::1") == Admission::Accepted);
  CHECK(budget.enter("fe80::1%eth0") == Admission::Accepted);
  budget.leave("2001:db8:0:1::9", Admission::Accepted);
  CHECK(budget.enter("2001:db8:0:1::4") == Admission::Accepted);
}

TEST_CASE("ConnectionBudget.BeyondAllHopeThereIsNotEvenAnAnswer") {
  api::ConnectionCounts counts;
  ConnectionBudget budget(1, 0, 0, 0, counts);
  int refused = 0;
  while (budget.enter("a") != ConnectionBudget::Admission::Dropped) ++refused;
  CHECK(refused == 17);
  CHECK(budget.connections() == 17);
}

TEST_CASE("ConnectionBudget.OnePayerGetsHalfOfTheBodiesButAlwaysOneLargeOne") {
  api::ConnectionCounts counts;
  ConnectionBudget budget(1, 0, 1000, 100, counts);
  CHECK(budget.take_body_bytes(500, "greedy"));
  CHECK_FALSE(budget.take_body_bytes(1, "greedy"));
  CHECK(counts.body_bytes == 500);
  CHECK(budget.take_body_bytes(400, "other"));
  CHECK_FALSE(budget.take_body_bytes(101, "third"));
  budget.give_body_bytes(100, "greedy");
  CHECK(budget.take_body_bytes(100, "greedy"));
  budget.give_body_bytes(500, "greedy");
  budget.give_body_bytes(400, "other");
  CHECK(counts.body_bytes == 0);
  ConnectionBudget small(1, 0, 1000, 800, counts);
  CHECK(small.take_body_bytes(800, "one"));
  CHECK_FALSE(small.take_body_bytes(1, "one"));
}

TEST_CASE("ConnectionBudget.APayerIsAPrincipalOrElseAnAddressOrNetwork") {
  CHECK(ConnectionBudget::payer("192.0.2.1", "ingest") == ConnectionBudget::payer("127.0.0.1", "ingest"));
  CHECK(ConnectionBudget::payer("192.0.2.1", "") != ConnectionBudget::payer("192.0.2.2", ""));
  CHECK(ConnectionBudget::payer("2001:db8:0:1::1", "") == ConnectionBudget::payer("2001:db8:0:1::2", ""));
  CHECK(ConnectionBudget::payer("a", "") != ConnectionBudget::payer("b", "a"));
}

TEST_CASE("ConnectionSeat.CountsOutWhateverHappens") {
  api::ConnectionCounts counts;
  ConnectionBudget budget(1, 0, 0, 0, counts);
  {
    ConnectionSeat seat(budget, "192.0.2.1");
    CHECK(budget.connections() == 1);
    const ConnectionSeat moved(std::move(seat));
    CHECK(moved.admission() == ConnectionBudget::Admission::Accepted);
    CHECK(ConnectionSeat(budget, "192.0.2.1").admission() == ConnectionBudget::Admission::TooMany);
    CHECK(budget.connections() == 1);
  }
  CHECK(budget.connections() == 0);
}

}  // namespace stele::net
