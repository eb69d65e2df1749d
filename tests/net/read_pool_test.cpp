#include "net/server/read_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace stele::net {

TEST_CASE("ReadPool.RefusesWhatItsQueueCannotHold") {
  ReadPool pool(1, 2);
  std::mutex mutex;
  std::condition_variable changed;
  bool busy = false;
  bool release = false;
  std::atomic<int> ran{0};
  REQUIRE(pool.run_on_read_pool([&] {
    std::unique_lock lock(mutex);
    busy = true;
    changed.notify_all();
    changed.wait(lock, [&] { return release; });
  }));
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return busy; });
  }
  CHECK(pool.run_on_read_pool([&] { ++ran; }));
  CHECK(pool.run_on_read_pool([&] { throw 1; }));
  CHECK_FALSE(pool.run_on_read_pool([&] { ++ran; }));
  CHECK(pool.reads_waiting() == 2);
  std::condition_variable done;
  bool last = false;
  CHECK(pool.run_unrefusable([&] {
    const std::lock_guard lock(mutex);
    last = true;
    done.notify_all();
  }));
  {
    std::unique_lock lock(mutex);
    release = true;
    changed.notify_all();
    done.wait(lock, [&] { return last; });
  }
  CHECK(ran == 1);
  pool.stop();
  CHECK_FALSE(pool.run_on_read_pool([] {}));
  CHECK_FALSE(pool.run_unrefusable([] {}));
}

TEST_CASE("ReadPool.TimersRunInTheOrderOfTheirTimes") {
  constexpr std::chrono::milliseconds apart{30};
  // If this thread stands still between two of them their times have another order.
  for (bool are_in_order = false; !are_in_order;) {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<int> order;
    ReadPool pool(1, 1);
    const auto note = [&](int number) {
      const std::lock_guard lock(mutex);
      order.push_back(number);
      changed.notify_all();
    };
    const auto begun = std::chrono::steady_clock::now();
    pool.after(2 * apart, [&] { note(3); });
    pool.after(apart, [&] { note(2); });
    pool.after(std::chrono::milliseconds(0), [&] { note(1); });
    are_in_order = std::chrono::steady_clock::now() - begun < apart;
    pool.after(std::chrono::hours(1), [&] { note(4); });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return order.size() == 3; });
    if (are_in_order) CHECK(order == std::vector<int>{1, 2, 3});
  }
}

}  // namespace stele::net
