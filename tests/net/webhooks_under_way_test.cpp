#include "net/webhook/webhooks_under_way.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>

#include "net/webhook/fair_share.h"

namespace stele::tests {

using net::WebhooksUnderWay;

namespace {

/// How many of `bytes` each this receiver gets under way.
std::size_t fill(WebhooksUnderWay& webhooks, const std::string& host, std::size_t bytes) {
  std::size_t added = 0;
  for (; webhooks.has_room(host, bytes); ++added) webhooks.add(host, bytes);
  return added;
}

}  // namespace

TEST_CASE("WebhooksUnderWay.AReceiverHasAShareOfTheRequests") {
  WebhooksUnderWay webhooks({.requests_max = 4096});
  CHECK(fill(webhooks, "hangs.example", 1) == 512);
  CHECK(fill(webhooks, "other.example", 1) == 392);  // the first one leaves 7/8, and that squared is its share
  CHECK(webhooks.requests() == 904);
  webhooks.remove("hangs.example", 1);
  CHECK_FALSE(webhooks.has_room("hangs.example", 1));  // the other one takes a share now
  for (int i = 0; i < 392; ++i) webhooks.remove("other.example", 1);
  CHECK(fill(webhooks, "hangs.example", 1) == 1);
  for (int i = 0; i < 512; ++i) webhooks.remove("hangs.example", 1);
  CHECK(webhooks.requests() == 0);
  CHECK(fill(webhooks, "hangs.example", 1) == 512);
}

TEST_CASE("WebhooksUnderWay.ManyNamesDoNotTakeItAll") {
  WebhooksUnderWay webhooks({.requests_max = 4096, .body_bytes_max = 4096 * 1000});
  for (int i = 0; i < 100; ++i) CHECK(fill(webhooks, std::to_string(i) + ".example", 1000) > 0);
  for (int i = 0; i < 100; ++i) CHECK(fill(webhooks, std::to_string(i) + ".example", 1000) == 0);
  CHECK(webhooks.requests() < 4096);
  CHECK(webhooks.has_room("other.example", 1000));
}

TEST_CASE("WebhooksUnderWay.TheWholeIsABoundForManyNames") {
  WebhooksUnderWay webhooks({.requests_max = 100});
  for (int i = 0; i < 1000; ++i) fill(webhooks, std::to_string(i) + ".example", 1);
  CHECK(webhooks.requests() == 100);
}

TEST_CASE("WebhooksUnderWay.AReceiverHasAShareOfTheBytes") {
  WebhooksUnderWay webhooks({.body_bytes_max = 8000});
  CHECK(fill(webhooks, "hangs.example", 300) == 3);
  CHECK(fill(webhooks, "hangs.example", 100) == 1);
  CHECK(webhooks.has_room("other.example", 875));
  webhooks.remove("hangs.example", 100);
  CHECK(fill(webhooks, "hangs.example", 50) == 2);
}

TEST_CASE("WebhooksUnderWay.ABodyLargerThanAShareGoesAlone") {
  WebhooksUnderWay webhooks({.body_bytes_max = 8000});
  CHECK_FALSE(webhooks.has_room("a.example", 4001));
  CHECK(webhooks.has_room("a.example", 4000));
  webhooks.add("a.example", 4000);
  CHECK_FALSE(webhooks.has_room("a.example", 1));
  CHECK_FALSE(webhooks.has_room("b.example", 1001));
  CHECK(webhooks.has_room("b.example", 1000));
  webhooks.add("b.example", 1);
  CHECK(webhooks.has_room("b.example", 249));
  CHECK_FALSE(webhooks.has_room("b.example", 250));
}

TEST_CASE("WebhooksUnderWay.OnePartIsTheWhole") {
  WebhooksUnderWay webhooks({.requests_max = 3, .body_bytes_max = 1000, .receiver_parts = 1});
  webhooks.add("a.example", 990);
  CHECK_FALSE(webhooks.has_room("a.example", 11));
  CHECK(webhooks.has_room("a.example", 10));
  CHECK(fill(webhooks, "a.example", 0) == 2);
  CHECK_FALSE(webhooks.has_room("b.example", 0));
}

TEST_CASE("WebhooksUnderWay.FairShareIsNeverNothingWhileSomethingIsLeft") {
  for (std::size_t by_others = 0; by_others < 100; ++by_others) {
    const std::size_t share = net::fair_share(100, by_others, 8);
    CHECK(share >= 1);
    CHECK(share <= 100 - by_others);
  }
  CHECK(net::fair_share(100, 100, 8) == 0);
  CHECK(net::fair_share(100, 101, 8) == 0);
  CHECK(net::fair_share(0, 0, 8) == 0);
}

}  // namespace stele::tests
