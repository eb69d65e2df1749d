// What receivers have said of events, and what waits to be delivered, after a redaction.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "api/subscriptions/delivery_trace.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kDeliveriesJson{{"Content-Type", "application/json"}};
const std::string kEchoed = "nobody shall know";

/// A service whose receivers answer with what they were sent.
struct EchoedDeliveries {
  stele::test::FakeClock clock;
  stele::test::TempFolder secrets;
  TestSender sender;
  TestService service{options()};

  ServiceOptions options() {
    clock.wall = system_clock().now().micros;
    ServiceOptions made;
    made.clock = &clock;
    made.webhooks = &sender;
    made.subscriptions.secrets_folder = secrets.path() + "/secrets";
    return made;
  }
  /// Its path.
  std::string subscribe(int attempts) {
    const Answer made = service.send(
        Method::Post, "/v1/events/subscribe",
        R"({"delivery":{"type":"webhook","url":"https://a.example/hook"},"from":"beginning","retry":{"maxAttempts":)" +
            std::to_string(attempts) + R"(,"initialDelayMs":3600000,"maxDelayMs":3600000}})",
        kDeliveriesJson);
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return made.header("Location");
  }
  std::string append_secret() {
    const Answer stored = service.post(event("a", R"({"n":")" + kEchoed + R"("})"));
    REQUIRE(stored.status == 201);
    return stored.text("/eventId");
  }
  /// And has every subscription look at the clock, as a change of any alias does.
  void pass_hours(std::int64_t hours) {
    clock.wall += hours * 3'600'000'000;
    REQUIRE(service.send(Method::Put, "/v1/event-types/Old/alias", R"({"to":"New"})", kDeliveriesJson).status < 300);
  }
  static void echo(TestSender::Sent& sent, int status) {
    const std::string body = sent.request.body;
    REQUIRE(body.substr(0, 1024).find(kEchoed) != std::string::npos);
    sent.answer(status, body);
  }
  void redact(const std::string& id) {
    const Answer asked =
        service.send(Method::Post, "/v1/events/" + id + "/redact", R"({"reason":"r"})", kDeliveriesJson);
    REQUIRE_MESSAGE(asked.status == 202, asked.body);
    wait_until([&] { return service.get(asked.header("Location")).text("/state") == "completed"; });
  }
  [[nodiscard]] bool tells(const std::string& target) {
    const Answer shown = service.get(target);
    REQUIRE_MESSAGE(shown.status == 200, shown.body);
    return shown.body.find(kEchoed) != std::string::npos;
  }
};

}  // namespace

TEST_CASE("RedactionDeliveries.AnswersThatRepeatABodyAreForgotten") {
  EchoedDeliveries trial;
  const std::string id = trial.append_secret();
  const std::string dead = trial.subscribe(1);
  TestSender::Sent sent = trial.sender.next();
  EchoedDeliveries::echo(sent, 400);
  wait_until([&] { return trial.service.get(dead).at("/deadLetters") == "1"; });
  const std::string again = trial.subscribe(10);
  sent = trial.sender.next();
  EchoedDeliveries::echo(sent, 500);
  wait_until([&] { return trial.service.get(again + "/deliveries").at("/deliveries/0") != "none"; });
  const std::string under_way = trial.subscribe(10);
  TestSender::Sent late = trial.sender.next();
  for (const std::string& subscription : {dead, again}) CHECK(trial.tells(subscription + "/deliveries"));
  CHECK(trial.tells("/v1/events/" + id + "/deliveries"));

  trial.redact(id);
  EchoedDeliveries::echo(late, 500);  // what was sent before comes back now
  wait_until([&] { return trial.service.get(under_way + "/deliveries").at("/deliveries/0") != "none"; });
  for (const std::string& subscription : {dead, again, under_way}) {
    CAPTURE(subscription);
    const Answer trace = trial.service.get(subscription + "/deliveries");
    CHECK(trace.at("/deliveries/0/status") != "none");
    for (const char* const part : {"", "/deliveries", "/dead-letters"}) CHECK_FALSE(trial.tells(subscription + part));
  }
  CHECK_FALSE(trial.tells("/v1/events/" + id + "/deliveries"));
  CHECK_FALSE(trial.tells("/v1/subscriptions"));
  CHECK(trial.service.bytes_in_folder().find(kEchoed) == std::string::npos);

  // What waits to be tried again, and what was given up, goes without it from now on.
  const Answer redriven = trial.service.send(Method::Post, dead + "/dead-letters/redrive", "{}", kDeliveriesJson);
  REQUIRE_MESSAGE(redriven.status < 300, redriven.body);
  trial.pass_hours(3);
  for (int attempts = 0; attempts < 3; ++attempts) {
    sent = trial.sender.next();
    CHECK(sent.request.body.find(kEchoed) == std::string::npos);
    CHECK(sent.request.body.find(R"("redacted":["data"])") != std::string::npos);
    sent.answer(200);
  }
}

TEST_CASE("RedactionDeliveries.AnErrorIsForgottenThoughItsAttemptHasLeftTheTrace") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  const Position failed = (*fixture.store().view()->aggregate("a"))->last_position;
  TestSender::Sent sent = fixture.sender.next();
  WebhookAnswer answer;
  answer.outcome = WebhookAnswer::Outcome::NotHttp;
  answer.detail = "It said: " + kEchoed;
  sent.done(std::move(answer));
  sent = fixture.sender.next();
  sent.answer(200);
  for (std::size_t i = 0; i < DeliveryTrace::kAttemptsMax; ++i) {
    fixture.append("b");
    sent = fixture.sender.next();
    sent.answer(200);
  }
  fixture.wait_done(id);
  const auto detail = [&] { return fixture.status(id).last_error->detail; };
  REQUIRE(detail().find(kEchoed) != std::string::npos);
  const auto forget = [&](Position event) { fixture.room().forget_answers({&event, 1}); };
  forget(failed.next());  // of another event
  CHECK(detail().find(kEchoed) != std::string::npos);
  forget(failed);
  CHECK(detail().empty());
}
