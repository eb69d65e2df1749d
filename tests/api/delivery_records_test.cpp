// What the audit trail is told of deliveries.

#include <doctest/doctest.h>

#include "api/subscriptions/delivery_records.h"
#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("DeliveryRecords.TellOnceWhatEachSubscriptionHasDoneSince") {
  stele::test::FakeClock clock;
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  (void)fixture.subscribe(RoomFixture::webhook());
  std::mutex mutex;
  std::vector<std::string> told;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return told.size();
  };
  {
    const DeliveryRecords records(
        fixture.room(),
        [&](const std::string& subscription, std::string details) {
          const std::lock_guard lock(mutex);
          told.push_back(subscription + details);
        },
        clock, std::chrono::milliseconds(1));
    fixture.append("a");
    auto sent = fixture.sender.next();
    auto other = fixture.sender.next();
    if (!sent.id().starts_with(id)) std::swap(sent, other);
    sent.answer(200);
    fixture.wait_done(id);
    CHECK(count() == 0);
    clock.monotonic += std::chrono::microseconds(std::chrono::hours(1)).count();
    wait_until([&] { return count() == 1; });
  }
  // Nothing more was done since, and the other one has done nothing at all.
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with(id + R"({"delivered":1,"failures":0,)"));
  CHECK(told[0].ends_with(R"("state":"active","breakerOpen":false})"));
}
