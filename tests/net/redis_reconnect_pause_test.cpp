#include "net/redis/reconnect_pause.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "net/redis/redis_client.h"

namespace stele::tests {

using net::ReconnectPause;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// As the client of Redis has them.
ReconnectPause usual_pauses() {
  const net::RedisClientOptions options;
  return {options.retry_first, options.retry_last};
}

std::vector<std::int64_t> pauses(ReconnectPause& pause, double chance, int count) {
  std::vector<std::int64_t> found;
  for (int i = 0; i < count; ++i) found.push_back(pause.next(chance).count());
  return found;
}

using Pauses = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("ReconnectPause.GrowsUpToItsBoundAndStaysThere") {
  ReconnectPause shortest = usual_pauses(), longest = usual_pauses();
  CHECK(pauses(shortest, 0, 9) == Pauses{100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000});
  CHECK(pauses(longest, 1, 9) == Pauses{200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000});
}

TEST_CASE("ReconnectPause.BeginsAnewAfterAConnectionThatHeld") {
  ReconnectPause pause = usual_pauses();
  ReconnectPause::Clock::time_point now{seconds(1000)};
  CHECK(pauses(pause, 1, 4) == Pauses{200, 400, 800, 1600});
  pause.connected(now);
  now += seconds(10);
  pause.lost(now);
  // Not long enough: it is let in and thrown out.
  CHECK(pauses(pause, 1, 1) == Pauses{3200});
  pause.connected(now);
  now += seconds(10) + milliseconds(1);
  pause.lost(now);
  CHECK(pauses(pause, 1, 3) == Pauses{200, 400, 800});
  // What never came about changes nothing.
  CHECK(pauses(pause, 1, 4) == Pauses{1600, 3200, 6400, 10000});
}

}  // namespace stele::tests
