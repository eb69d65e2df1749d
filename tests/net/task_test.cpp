#include "net/server/task.h"

#include <doctest/doctest.h>

#include <stdexcept>

namespace stele::net {

namespace {
Task<int> one() { co_return 1; }
Task<int> sum(int count) {
  int total = 0;
  for (int i = 0; i < count; ++i) total += co_await one();
  co_return total;
}
Task<int> thrower() {
  throw std::runtime_error("x");
  co_return 0;
}
Task<> root(int& result) {
  result = co_await sum(1'000'000);
  try {
    result += co_await thrower();
  } catch (const std::runtime_error&) {
    ++result;
  }
}
}  // namespace

TEST_CASE("Task.ChildrenThatFinishAtOnceDoNotGrowTheStack") {
  int result = 0;
  Task<> task = root(result);
  CHECK(result == 0);
  task.start();
  CHECK(result == 1'000'001);
}

}  // namespace stele::net
