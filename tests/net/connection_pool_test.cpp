#include "net/webhook/connection_pool.h"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <utility>

namespace stele::tests {

using net::ConnectionPool;

namespace {

struct Guest final : ConnectionPool::Waiter {
  explicit Guest(std::string to) { endpoint = std::move(to); }
  void seated() override { ++calls; }
  int calls = 0;
};

/// Guests of a pool, who take what they can and all leave in the end.
struct Guests {
  explicit Guests(const net::ConnectionBounds& bounds) : pool(bounds) {}
  ~Guests() {
    for (Guest& guest : all) pool.leave(guest);
    for (Guest& guest : all) end(guest);
  }
  Guest& come(const std::string& endpoint) {
    pool.take(all.emplace_back(endpoint));
    return all.back();
  }
  void end(Guest& guest) {
    if (guest.has_seat) pool.give_back(guest, nullptr);
  }
  [[nodiscard]] int seated(const std::string& endpoint) const {
    int count = 0;
    for (const Guest& guest : all) count += guest.endpoint == endpoint && guest.has_seat ? 1 : 0;
    return count;
  }

  ConnectionPool pool;
  std::deque<Guest> all;
};

}  // namespace

TEST_CASE("ConnectionPool.AReceiverHasItsShareAtMost") {
  Guests guests({.all_max = 16, .endpoint_max = 3, .endpoint_parts = 4});
  for (int i = 0; i < 10; ++i) guests.come("a");
  CHECK(guests.seated("a") == 3);
  for (int i = 0; i < 10; ++i) guests.come("b");
  CHECK(guests.seated("b") == 3);  // 13 * 13 / 16 / 4, rounded up
  for (int i = 0; i < 10; ++i) guests.come("c");
  CHECK(guests.seated("c") == 2);  // 10 * 10 / 16 / 4
  for (int i = 0; i < 10; ++i) guests.come("d");
  CHECK(guests.seated("d") == 1);  // 8 * 8 / 16 / 4
}

TEST_CASE("ConnectionPool.ManyReceiversThatHangLeaveRoomForTheNext") {
  Guests guests({});
  for (int endpoint = 0; endpoint < 100; ++endpoint) {
    for (int i = 0; i < 40; ++i) guests.come("hangs " + std::to_string(endpoint));
  }
  CHECK(guests.pool.connections() < 1024);
  CHECK(guests.come("other").has_seat);
}

TEST_CASE("ConnectionPool.WhatBecomesFreeGoesToWhoWaitsLongestAndHasRoom") {
  Guests guests({.all_max = 9, .endpoint_max = 9, .endpoint_parts = 4});
  Guest& first = guests.come("a");
  Guest& second = guests.come("a");
  Guest& third = guests.come("a");
  Guest& fourth = guests.come("a");
  for (const char* endpoint : {"b", "b", "c", "c", "d", "d"}) guests.come(endpoint);
  CHECK(guests.seated("a") == 3);
  CHECK(guests.seated("b") == 1);
  CHECK(guests.seated("c") == 1);
  CHECK(guests.seated("d") == 1);
  guests.end(first);
  CHECK_FALSE(fourth.has_seat);  // the others take a share now
  guests.end(second);
  CHECK(guests.seated("b") == 1);
  guests.end(third);
  CHECK(fourth.has_seat);
  CHECK(fourth.calls == 1);
  CHECK(guests.seated("b") == 1);
  guests.end(fourth);
  CHECK(guests.seated("b") == 2);
  CHECK(guests.seated("c") == 1);
  CHECK(guests.seated("d") == 1);
}

TEST_CASE("ConnectionPool.NobodyWaitsWhileNobodyHasASeat") {
  for (const std::size_t all_max : {1U, 2U, 9U}) {
    CAPTURE(all_max);
    Guests guests({.all_max = all_max, .endpoint_max = 2});
    for (int i = 0; i < 30; ++i) guests.come(std::to_string(i % 7));
    std::size_t served = 0;
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (Guest& guest : guests.all) {
        if (!guest.has_seat) continue;
        guests.end(guest);
        ++served;
        goes_on = true;
      }
      CHECK(guests.pool.connections() <= all_max);
    }
    CHECK(served == 30);
    CHECK(guests.pool.connections() == 0);
  }
}

}  // namespace stele::tests
