// What is recorded once an hour, by a clock that the test sets.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "api/subscriptions/circuit_breaker.h"
#include "tests/api/audit_support.h"
#include "tests/api/live_support.h"
#include "tests/api/room_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {

namespace {

constexpr std::int64_t kHour = std::chrono::microseconds(std::chrono::hours(1)).count();

}  // namespace

TEST_CASE("Audit.ALiveStreamIsRecordedAtItsStartEachHourAndAtItsEnd") {
  TestService::Headers headers{{"X-Correlation-Id", "live"}};
  SUBCASE("as Server-Sent Events") {}
  SUBCASE("as a WebSocket") { headers.emplace("Upgrade", "lines"); }
  stele::test::FakeClock clock;
  LineFraming framing;
  ServiceOptions options = audited();
  options.clock = &clock;
  options.web_sockets = &framing;
  TestService service(options);
  const auto append = [&] {
    const Answer stored = service.post(event("a"));
    REQUIRE(stored.status == 201);
    return stored;
  };
  append();
  std::string position;
  {
    LiveReader reader(service, "/v1/events/stream?start=beginning&aggregateId=a", headers);
    (void)reader.read();
    const auto began = wait_for_records(service, "?action=events.stream", 1);
    CHECK(text_at(began[0], "/correlationId") == "live");
    const auto show_one = [&] {
      const Answer stored = append();
      (void)reader.read_until(stored.text("/eventId"));
      position = stored.at("/position");
    };
    for (std::size_t hour = 1; hour <= 3; ++hour) {
      show_one();
      clock.monotonic += kHour - 1;
      (void)reader.read(PushedBody::Occasion::Quiet);
      clock.monotonic += 1;
      (void)reader.read(PushedBody::Occasion::Quiet);
      const auto told = wait_for_records(service, "?action=stream.continue", hour);
      REQUIRE(told.size() == hour);
      const std::string& newest = told.back();
      CAPTURE(newest);
      CHECK(text_at(newest, "/details/count") == "1");
      CHECK(text_at(newest, "/details/records") == (hour == 1 ? "2" : "1"));
      CHECK(text_at(newest, "/details/highestPosition") == position);
      CHECK(text_at(newest, "/details/filters/0") == "start=beginning&aggregateId=a");
      CHECK(text_at(newest, "/resource") == "route:/v1/events/stream");
      CHECK(text_at(newest, "/correlationId") == "live");
      CHECK(text_at(newest, "/remoteAddress") == "127.0.0.1");
      CHECK(text_at(newest, "/outcome") == "done");
    }
    show_one();
  }
  const auto ended = wait_for_records(service, "?action=stream.end", 1);
  REQUIRE(ended.size() == 1);
  CHECK(text_at(ended[0], "/details/records") == "1");
  CHECK(text_at(ended[0], "/details/highestPosition") == position);
  CHECK(records_of(service, "?action=stream.continue").size() == 3);
}

TEST_CASE("Audit.WhatASubscriptionHasDeliveredIsRecordedEachHour") {
  stele::test::FakeClock clock;
  stele::test::TempFolder folder;
  TestSender sender;
  AuditSettings settings;
  settings.look_interval = std::chrono::milliseconds(1);
  ServiceOptions options = audited(settings);
  options.clock = &clock;
  options.webhooks = &sender;
  options.subscriptions.secrets_folder = folder.path() + "/keys";
  TestService service(options);
  const auto subscribe = [&](const std::string& members) {
    const Answer made = service.send(Method::Post, "/v1/events/subscribe",
                                     R"({"delivery":{"type":"webhook","url":"https://a.example/hook"})" + members + "}",
                                     {{"Content-Type", "application/json"}});
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return made.text("/subscriptionId");
  };
  const std::string id = subscribe(R"(,"eventTypes":["T"],"retry":{"initialDelayMs":100,"maxDelayMs":100})");
  const std::string idle = subscribe(R"(,"eventTypes":["Never"])");
  const auto wait_for_count = [&](const char* member, const std::string& count) {
    wait_until([&] { return service.get("/v1/subscriptions/" + id).at(member) == count; });
  };
  const auto told = [&](std::size_t count) {
    return wait_for_records(service, "?action=subscription.deliveries", count);
  };

  REQUIRE(service.post(event("a")).status == 201);
  REQUIRE(service.post(event("b")).status == 201);
  auto first = sender.next();
  auto second = sender.next();
  first.answer(204);
  second.answer(500);
  wait_for_count("/delivered", "1");
  wait_for_count("/failures", "1");
  clock.monotonic += kHour;
  auto records = told(1);
  REQUIRE(records.size() == 1);
  CHECK(text_at(records[0], "/resource") == "subscription:" + id);
  CHECK(text_at(records[0], "/details/delivered") == "1");
  CHECK(text_at(records[0], "/details/failures") == "1");
  CHECK(text_at(records[0], "/details/state") == "active");
  CHECK(text_at(records[0], "/outcome") == "done");

  clock.wall += 1'000'000;
  REQUIRE(service.post(event("c")).status == 201);
  for (int i = 0; i < 2; ++i) sender.next().answer(204);
  wait_for_count("/delivered", "3");
  clock.monotonic += kHour - 1;
  REQUIRE(service.post(event("d")).status == 201);
  sender.next().answer(204);
  wait_for_count("/delivered", "4");
  clock.monotonic += 1;
  records = told(2);
  REQUIRE(records.size() == 2);
  CHECK(text_at(records[1], "/details/delivered") == "3");
  CHECK(text_at(records[1], "/details/failures") == "0");
  CHECK(records_of(service, "?resource=subscription:" + idle + "&action=subscription.deliveries").empty());
}

TEST_CASE("Audit.ABreakerThatOpensIsRecorded") {
  stele::test::TempFolder folder;
  TestSender sender;
  ServiceOptions options = audited();
  options.webhooks = &sender;
  options.subscriptions.secrets_folder = folder.path() + "/keys";
  TestService service(options);
  const Answer made = service.send(
      Method::Post, "/v1/events/subscribe",
      R"({"delivery":{"type":"webhook","url":"https://a.example/"},"retry":{"initialDelayMs":100,"maxDelayMs":100}})",
      {{"Content-Type", "application/json"}});
  REQUIRE_MESSAGE(made.status == 201, made.body);
  const std::string id = made.text("/subscriptionId");
  for (int i = 0; i < CircuitBreaker::kOutagesMax; ++i) REQUIRE(service.post(event(std::to_string(i))).status == 201);
  for (int i = 0; i < CircuitBreaker::kOutagesMax; ++i) sender.next().fail(WebhookAnswer::Outcome::TimedOut);
  const auto told = wait_for_records(service, "?action=subscription.breaker", 1);
  CHECK(text_at(told[0], "/resource") == "subscription:" + id);
  CHECK(json_at(told[0], "/details") == R"({"open":true})");
}

}  // namespace stele::api::test
