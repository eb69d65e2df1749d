#include "engine/base/interval_thread.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>

#include "tests/support/eventually.h"

namespace stele {

using stele::tests::eventually;

TEST_CASE("IntervalThread.WorksAgainAndAgainUntilItIsStopped") {
  std::atomic<int> times{0};
  IntervalThread thread;
  thread.start(std::chrono::milliseconds(1), [&] {
    ++times;
    return true;
  });
  CHECK(eventually([&] { return times >= 3; }));
  thread.stop();
  const int until_then = times;
  thread.stop();
  CHECK(times == until_then);
}

TEST_CASE("IntervalThread.EndsWhenTheWorkSaysSo") {
  std::atomic<int> times{0};
  {
    IntervalThread thread;
    thread.start(std::chrono::milliseconds(1), [&] { return ++times < 2; });
    CHECK(eventually([&] { return times == 2; }));
  }
  CHECK(times == 2);
}

TEST_CASE("IntervalThread.IsStoppedBeforeTheFirstTimeAndWithoutAStart") {
  std::atomic<bool> worked{false};
  {
    IntervalThread thread;
    thread.start(std::chrono::hours(1), [&] {
      worked = true;
      return true;
    });
  }
  CHECK_FALSE(worked);
  IntervalThread never;
  never.stop();
}

}  // namespace stele
