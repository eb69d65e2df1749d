#include "net/server/mailbox.h"

#include <doctest/doctest.h>

#include <vector>

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

}  // namespace stele::net
