#include "engine/feed/durable_feed.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "engine/store/store.h"
#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::test;

TEST_CASE("DurableFeed.AFollowerThatBeginsBehindCatchesUpAndGoesOn") {
  SimulatedFileSystem disk(1);
  auto store = Store::open(sample_options(disk)).value();
  append_sample(*store, 300);
  constexpr std::uint64_t kEnd = 701;  // with the genesis record

  std::vector<Position> seen;
  std::thread follower([&] {
    FeedFollower feed(store->feed());
    Position next{0};
    while (next < Position{kEnd}) {
      const auto end = feed.wait_beyond(next);
      if (!end) return;
      const auto view = store->view_until(*end);
      Record record;
      for (; next < view->end(); next = next.next()) {
        if (!view->read(next, record)) return;
        seen.push_back(record.header().position);
      }
    }
  });
  append_sample(*store, kEnd - 301);
  follower.join();
  REQUIRE(seen.size() == kEnd);
  for (std::uint64_t p = 0; p < kEnd; ++p) REQUIRE(seen[p] == Position{p});
}

TEST_CASE("DurableFeed.AFollowerStopsWhenItIsToldAndWhenTheStoreCloses") {
  SimulatedFileSystem disk(1);
  auto store = Store::open(sample_options(disk)).value();
  FeedFollower stopped(store->feed()), left(store->feed());
  auto first = std::async(std::launch::async, [&] { return stopped.wait_beyond(Position{1}); });
  auto second = std::async(std::launch::async, [&] { return left.wait_beyond(Position{1}); });
  stopped.stop();
  CHECK_FALSE(first.get());
  CHECK_FALSE(stopped.wait_beyond(Position{0}));  // for ever
  REQUIRE(store->close());
  CHECK_FALSE(second.get());
  CHECK(left.wait_beyond(Position{0}) == Position{1});  // what is there is still given out
}

TEST_CASE("DurableFeed.AListenerHearsEachStepUntilItsSubscriptionEnds") {
  DurableFeed feed;
  std::vector<Position> heard, others;
  const auto other = feed.subscribe([&](Position end) { others.push_back(end); });
  {
    auto subscription = feed.subscribe([&](Position end) {
      CHECK(feed.end() == end);
      heard.push_back(end);
    });
    feed.publish(Position{1});
    auto moved = std::move(subscription);
    subscription.stop();  // of nothing
    feed.publish(Position{3});
  }
  feed.publish(Position{4});
  CHECK(heard == std::vector{Position{1}, Position{3}});
  CHECK(others == std::vector{Position{1}, Position{3}, Position{4}});
  CHECK(feed.end() == Position{4});
}

TEST_CASE("DurableFeed.EndingASubscriptionWaitsForItsListener") {
  DurableFeed feed;
  std::promise<void> entered, leave;
  std::atomic<bool> left{false};
  auto subscription = feed.subscribe([&](Position) {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  });
  std::thread publisher([&] { feed.publish(Position{1}); });
  entered.get_future().wait();
  auto stopping = std::async(std::launch::async, [&] {
    subscription.stop();
    return left.load();
  });
  leave.set_value();
  CHECK(stopping.get());
  publisher.join();
}

TEST_CASE("DurableFeed.SubscribingDoesNotWaitForAListenerWhichMayAskTheFeed") {
  DurableFeed feed;
  std::promise<void> entered, subscribed;
  Position seen;
  const auto slow = feed.subscribe([&](Position) {
    entered.set_value();
    subscribed.get_future().wait();
    seen = feed.end();
  });
  std::thread publisher([&] { feed.publish(Position{1}); });
  entered.get_future().wait();
  const auto other = feed.subscribe([](Position) {});
  subscribed.set_value();
  publisher.join();
  CHECK(seen == Position{1});
}
