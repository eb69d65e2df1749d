#include "api/bus/event_bus.h"

#include <doctest/doctest.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/api/support.h"
#include "tests/support/eventually.h"

namespace stele::api::test {

namespace {

/// Takes what it is told to take.
class FakeBus final : public Bus {
 public:
  enum class Mood { Takes, IsAway, IsFull };
  void feel(Mood mood) {
    const std::lock_guard lock(mutex_);
    mood_ = mood;
  }
  [[nodiscard]] bool connected() const override {
    const std::lock_guard lock(mutex_);
    return mood_ != Mood::IsAway;
  }
  [[nodiscard]] bool publish(std::string_view channel, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    if (mood_ != Mood::Takes) return false;
    messages_.emplace_back(channel, message);
    return true;
  }
  [[nodiscard]] BusHealth health() const override {
    const std::lock_guard lock(mutex_);
    BusHealth health;
    health.connected = mood_ != Mood::IsAway;
    health.last_error = "it \"refuses\"";
    health.published = messages_.size();
    return health;
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }

 private:
  mutable std::mutex mutex_;
  Mood mood_ = Mood::Takes;
  std::vector<std::pair<std::string, std::string>> messages_;
};

ServiceOptions with_bus(FakeBus& bus) {
  ServiceOptions options;
  options.bus = &bus;
  return options;
}

}  // namespace

TEST_CASE("EventBus.PublishesEachEventOnceInCommitOrder") {
  FakeBus bus;
  TestService service(with_bus(bus));
  for (int i = 0; i < 50; ++i) {
    const Answer stored = service.post("[" + event("a/" + std::to_string(i), std::to_string(i)) + "," +
                                       event("b", R"({ "x" : 1 })") + "]");
    REQUIRE_EQ(stored.status, 201);
  }
  REQUIRE(eventually([&] { return bus.messages().size() >= 100; }));
  const auto messages = bus.messages();
  const Answer list = service.get("/v1/events?limit=1000");
  REQUIRE_EQ(messages.size(), 100);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    CHECK_EQ(messages[i].first, "stele.events.T");
    simdjson::dom::parser parser;
    CHECK_EQ(simdjson::minify(parser.parse(messages[i].second)), list.at("/events/" + std::to_string(i)));
    CHECK_EQ(messages[i].second.find(" "), std::string::npos);
  }
}

TEST_CASE("EventBus.AnEventWhoseTypeHasAnAliasIsPublishedUnderThat") {
  FakeBus bus;
  TestService service(with_bus(bus));
  REQUIRE_EQ(
      service.send(Method::Put, "/v1/event-types/T/alias", R"({"to":"New"})", {{"Content-Type", "application/json"}})
          .status,
      201);
  REQUIRE_EQ(service.post(event("a")).status, 201);
  REQUIRE(eventually([&] { return !bus.messages().empty(); }));
  CHECK_EQ(bus.messages().front().first, "stele.events.New");
  CHECK_NE(bus.messages().front().second.find(R"("eventType":"New","storedEventType":"T")"), std::string::npos);
}

TEST_CASE("EventBus.AnEventIsPublishedInTheNewestVersion") {
  FakeBus bus;
  TestService service(with_bus(bus));
  const TestService::Headers json{{"Content-Type", "application/json"}};
  REQUIRE_EQ(service.send(Method::Post, "/v1/schemas/T", R"({"schema":true})", json).status, 201);
  const char* const second =
      R"({"schema":true,"upcaster":{"from":1,"operations":[{"op":"rename","path":"/a","to":"b"}]}})";
  REQUIRE_EQ(service.send(Method::Post, "/v1/schemas/T", second, json).status, 201);
  REQUIRE_EQ(service.post(event("a", R"({"a":1})", R"("version":1)")).status, 201);
  REQUIRE(eventually([&] { return !bus.messages().empty(); }));
  CHECK_NE(bus.messages().front().second.find(R"("version":2,"storedVersion":1)"), std::string::npos);
  CHECK_NE(bus.messages().front().second.find(R"("data":{"b":1})"), std::string::npos);
}

TEST_CASE("EventBus.WhatIsNotTakenIsCountedAndNotPublishedLater") {
  FakeBus bus;
  TestService service(with_bus(bus));
  const auto append = [&](const char* aggregate) { REQUIRE_EQ(service.post(event(aggregate)).status, 201); };
  const auto wait_for_lost = [&](const char* count) {
    CHECK(eventually([&] { return service.get("/readyz").at("/redis/lostEvents") == count; }));
  };
  append("taken/1");
  REQUIRE(eventually([&] { return bus.messages().size() == 1; }));
  bus.feel(FakeBus::Mood::IsFull);
  append("full/1");
  append("full/2");
  wait_for_lost("2");
  CHECK_EQ(service.get("/readyz").text("/redis/state"), "connected");
  bus.feel(FakeBus::Mood::IsAway);
  append("away/1");
  wait_for_lost("3");
  const Answer away = service.get("/readyz");
  CHECK_EQ(away.status, 200);
  CHECK_EQ(away.text("/redis/state"), "away");
  CHECK_EQ(away.at("/redis/lastError"), R"("it \"refuses\"")");
  CHECK(away.at("/warnings").find("Redis is away") != std::string::npos);
  bus.feel(FakeBus::Mood::Takes);
  append("taken/2");
  REQUIRE(eventually([&] { return bus.messages().size() == 2; }));
  CHECK(bus.messages()[1].second.find("taken/2") != std::string::npos);
  CHECK_EQ(service.get("/readyz").at("/redis/publishedEvents"), "2");
  CHECK(service.get("/metrics").body.find("\nstele_bus_lost_events_total 3\n") != std::string::npos);
}

TEST_CASE("EventBus.WhatIsTheStoresOwnIsNotPublished") {
  FakeBus bus;
  TestService service(with_bus(bus));
  const Answer policy = service.send(Method::Put, "/v1/snapshot-policies/M", R"({"everyEvents":10})",
                                     {{"Content-Type", "application/json"}});
  REQUIRE_EQ(policy.status, 201);
  REQUIRE_EQ(service.post(event("mine")).status, 201);
  REQUIRE(eventually([&] { return !bus.messages().empty(); }));
  CHECK(bus.messages()[0].second.find("mine") != std::string::npos);
  CHECK_EQ(service.get("/readyz").at("/redis/lostEvents"), "0");
}

TEST_CASE("EventBus.WithoutABusNothingIsSaidOfIt") {
  TestService service;
  CHECK_EQ(service.get("/readyz").at("/redis"), "none");
  CHECK_EQ(service.get("/metrics").body.find("stele_redis"), std::string::npos);
}

}  // namespace stele::api::test
