#include "net/http/body_buffer.h"

#include <doctest/doctest.h>

#include <string>

namespace stele::net {

TEST_CASE("BodyBuffer.TakesFromTheBudgetWhatItHolds") {
  api::ConnectionCounts counts;
  ConnectionBudget budget(1, 0, 400'000, 400'000, counts);
  {
    BodyBuffer buffer(budget);
    CHECK(buffer.append(std::string(100'000, 'a'), 10'000'000));
    CHECK(buffer.append("b", 10'000'000));
    CHECK(buffer.view() == std::string(100'000, 'a') + "b");
    CHECK_FALSE(buffer.reserve(300'000, 10'000'000));
    CHECK(buffer.view().back() == 'b');
    CHECK_FALSE(budget.take_body_bytes(400'000, "p"));
  }
  CHECK(budget.take_body_bytes(400'000, "p"));
}

TEST_CASE("BodyBuffer.AnotherPayerPaysForItself") {
  api::ConnectionCounts counts;
  ConnectionBudget budget(1, 0, 400'000, 0, counts);
  BodyBuffer buffer(budget);
  buffer.bill("first");
  CHECK(buffer.append(std::string(150'000, 'a'), 10'000'000));
  buffer.clear();
  CHECK(counts.body_bytes > 0);  // kept for the next body
  buffer.bill("second");
  CHECK(counts.body_bytes == 0);
  CHECK(buffer.append("b", 10'000'000));
  CHECK(budget.take_body_bytes(200'000, "first"));
}

TEST_CASE("BodyBuffer.AppendingNothingTakesNothing") {
  api::ConnectionCounts counts;
  ConnectionBudget budget(1, 0, 0, 0, counts);
  BodyBuffer buffer(budget);
  CHECK(buffer.append({}, 10'000'000));
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.view().empty());
}

}  // namespace stele::net
