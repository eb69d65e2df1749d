#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/http/body_buffer.h"
#include "net/http/connection_budget.h"
#include "net/http/response_head.h"
#include "net/server/mailbox.h"
#include "net/server/read_pool.h"
#include "net/server/task.h"

namespace stele::net {

TEST_CASE("Mailbox.ManyPostsInARowCauseOneWakeUp") {
  int wakes = 0;
  std::vector<int> ran;
  Mailbox box([&] { ++wakes; });
  for (int i = 0; i < 40; ++i) box.post([&ran, i] { ran.push_back(i); });
  CHECK(wakes == 1);
  CHECK(ran.empty());
  CHECK(box.drain() == 40);
  REQUIRE(ran.size() == 40);
  for (int i = 0; i < 40; ++i) CHECK(ran[static_cast<std::size_t>(i)] == i);
  box.post([] {});
  CHECK(wakes == 2);
}

TEST_CASE("Mailbox.WorkPostedByWorkWaitsForItsOwnWakeUp") {
  int wakes = 0;
  int ran = 0;
  Mailbox box([&] { ++wakes; });
  box.post([&] { box.post([&] { ++ran; }); });
  CHECK(box.drain() == 1);
  CHECK(ran == 0);
  CHECK(wakes == 2);
  CHECK(box.drain() == 1);
  CHECK(ran == 1);
  CHECK(box.drain() == 0);
}

TEST_CASE("Mailbox.AThrowDoesNotLoseTheRest") {
  bool ran = false;
  Mailbox box([] {});
  box.post([] { throw 1; });
  box.post([&] { ran = true; });
  CHECK(box.drain() == 2);
  CHECK(ran);
}

TEST_CASE("ResponseHead.HasWhatHttpDemandsAndNoInjectedLines") {
  api::Response response;
  response.status = 201;
  response.headers.emplace_back("Location", "/v1/events/1\r\nSet-Cookie: a");
  Framing framing;
  framing.content_length = 12;
  framing.close = true;
  std::string head;
  append_response_head(head, response, framing, http_date(784111777));
  CHECK(head ==
        "HTTP/1.1 201 Created\r\nServer: stele\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n"
        "Location: /v1/events/1  Set-Cookie: a\r\n\r\n");
  CHECK_FALSE(may_have_body(204));
  CHECK_FALSE(may_have_body(304));
  CHECK(may_have_body(200));
}

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
  for (const char* loopback : {"127.0.0.1", "127.0.0.1", "127.9.9.9", "::1"}) budget.leave(loopback, Admission::Accepted);
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
  while (budget.enter("192.0.2.1") != Admission::Hopeless) ++held;
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
  while (budget.enter("a") != ConnectionBudget::Admission::Hopeless) ++refused;
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
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> order;
  ReadPool pool(1, 1);
  const auto note = [&](int number) {
    const std::lock_guard lock(mutex);
    order.push_back(number);
    changed.notify_all();
  };
  pool.after(std::chrono::milliseconds(60), [&] { note(3); });
  pool.after(std::chrono::milliseconds(30), [&] { note(2); });
  pool.after(std::chrono::milliseconds(0), [&] { note(1); });
  pool.after(std::chrono::hours(1), [&] { note(4); });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return order.size() == 3; });
  CHECK(order == std::vector<int>{1, 2, 3});
}

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
