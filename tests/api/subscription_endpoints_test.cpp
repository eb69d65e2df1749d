// Subscriptions by way of their endpoints: who may do what, and each answer that there is. The receiver is the test.

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/api/access_support.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

/// Refuses one host.
class ChoosySender final : public WebhookSender {
 public:
  explicit ChoosySender(TestSender& sender) : sender_(sender) {}
  void send(WebhookRequest request, Done done) override { sender_.send(std::move(request), std::move(done)); }
  [[nodiscard]] std::string url_objection(std::string_view url) const override {
    return url.find("forbidden") == std::string_view::npos ? "" : "that address is not allowed";
  }
  [[nodiscard]] std::string tls_objection(const WebhookTls&) const override { return {}; }
  void stop() override { sender_.stop(); }

 private:
  TestSender& sender_;
};

/// A service that knows several callers, and what it would send.
struct Endpoints {
  using Headers = TestService::Headers;

  TestKeys keys;
  std::string ada = keys.add(Role::Service, "ada"), bob = keys.add(Role::Service, "bob"),
              reader = keys.add(Role::Reader, "reader"), auditor = keys.add(Role::Auditor, "auditor"),
              admin = keys.add(Role::Admin, "admin"), narrow = keys.add(Role::Service, "narrow", {"Mission", "Order"}),
              ada_narrow = keys.add(Role::Service, "ada", {"Mission"}),
              admin_narrow = keys.add(Role::Admin, "admin-narrow", {"Mission"});
  stele::test::TempFolder folder;
  TestSender sender;
  ChoosySender choosy{sender};
  TestService service{options()};

  ServiceOptions options() {
    ServiceOptions made;
    made.authenticator = keys.open();
    made.webhooks = &choosy;
    made.subscriptions.secrets_folder = folder.path() + "/secrets";
    return made;
  }

  Answer send(Method method, const std::string& target, const std::string& token, const std::string& body = {}) {
    return service.send(method, target, body, headers(token, !body.empty()));
  }
  std::future<Answer> begin(Method method, const std::string& target, const std::string& token,
                            const std::string& body = {}) {
    return service.begin(method, target, body, headers(token, !body.empty()));
  }
  Answer get(const std::string& target, const std::string& token) { return send(Method::Get, target, token); }
  Answer post(const std::string& target, const std::string& token, const std::string& body = {}) {
    return send(Method::Post, target, token, body);
  }
  static Headers headers(const std::string& token, bool has_body) {
    Headers fields{{"Authorization", "Bearer " + token}};
    if (has_body) fields.emplace("Content-Type", "application/json");
    return fields;
  }

  /// Makes one; its path.
  std::string subscribe(const std::string& token, const std::string& body) {
    const Answer made = post("/v1/events/subscribe", token, body);
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return made.header("Location");
  }
  std::string pulled(const std::string& token, const std::string& members = {}) {
    return subscribe(token,
                     R"({"delivery":{"type":"pull"},"retry":{"initialDelayMs":100,"maxDelayMs":100})" + members + "}");
  }
  std::string webhook(const std::string& token, const std::string& members = {}) {
    return subscribe(token, R"({"delivery":{"type":"webhook","url":"https://a.example/hook"})" + members + "}");
  }
  /// Appends one; its position.
  std::uint64_t append(const std::string& aggregate, const std::string& members = {}) {
    const Answer stored = service.post(event(aggregate, "1", members), {{"Authorization", "Bearer " + admin}});
    REQUIRE_MESSAGE(stored.status == 201, stored.body);
    last_event_id = stored.text("/eventId");
    return std::stoull(stored.at("/position"));
  }
  /// Until a GET gives that value.
  void wait_for(const std::string& target, const std::string& pointer, const std::string& value) {
    wait_until([&] { return get(target, admin).at(pointer) == value; });
  }
  std::string last_event_id;
};

std::string pointer_of(const Answer& refusal) { return refusal.text("/errors/0/pointer"); }

std::string id_in(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

TEST_CASE("SubscriptionEndpoints.OneIsMadeShownChangedAndEnded") {
  Endpoints f;
  const Answer made = f.post("/v1/events/subscribe", f.ada,
                             R"({"eventTypes":["A"],"delivery":{"type":"webhook","url":"https://a.example/hook",
                                 "headers":{"X-Key":"topsecret"}}})");
  REQUIRE(made.status == 201);
  const std::string path = made.header("Location");
  CHECK(path == "/v1/subscriptions/" + made.text("/subscriptionId"));
  CHECK(made.text("/secret").starts_with("whsec_"));
  CHECK(made.body.find("topsecret") == std::string::npos);

  Answer shown = f.get(path, f.ada);
  REQUIRE(shown.status == 200);
  CHECK(shown.text("/state") == "active");
  CHECK(shown.at("/reason") == "null");
  CHECK(shown.text("/owner/name") == "ada");
  CHECK(shown.text("/owner/role") == "service");
  CHECK(shown.at("/eventTypes") == R"(["A"])");
  CHECK(shown.text("/delivery/url") == "https://a.example/hook");
  CHECK(shown.at("/delivery/headerNames") == R"(["X-Key"])");
  CHECK(shown.at("/deadLetters") == "0");
  CHECK(shown.at("/lastError") == "null");
  CHECK(shown.at("/secret") == "none");
  CHECK(shown.body.find("topsecret") == std::string::npos);
  CHECK(shown.body.find("whsec_") == std::string::npos);

  const Answer changed =
      f.send(Method::Patch, path, f.ada, R"({"eventTypes":["B"],"delivery":{"batchSize":7},"onDeadLetter":"park"})");
  REQUIRE(changed.status == 200);
  CHECK(changed.at("/eventTypes") == R"(["B"])");
  CHECK(changed.at("/delivery/batchSize") == "7");
  CHECK(f.get(path, f.ada).text("/onDeadLetter") == "park");
  CHECK(f.send(Method::Patch, path, f.ada, R"({"from":"now"})").slug() == "invalid-request");
  CHECK(f.send(Method::Patch, path, f.ada, R"({"delivery":{"url":"https://forbidden.example"}})").slug() ==
        "callback-refused");

  CHECK(f.post(path + "/pause", f.ada).text("/state") == "paused");
  CHECK(f.get(path, f.ada).text("/state") == "paused");
  CHECK(f.post(path + "/pause", f.ada).status == 200);
  CHECK(f.post(path + "/resume", f.ada).text("/state") == "active");
  const Answer rotated = f.post(path + "/rotate-secret", f.ada);
  CHECK(rotated.status == 200);
  CHECK(rotated.text("/secret").starts_with("whsec_"));
  CHECK(rotated.text("/secret") != made.text("/secret"));

  const Answer removed = f.send(Method::Delete, path, f.ada);
  CHECK(removed.status == 204);
  CHECK(removed.body.empty());
  for (const char* method : {"", "/pause", "/rotate-secret", "/test"}) {
    CHECK((*method == '\0' ? f.get(path, f.ada) : f.post(path + method, f.ada)).slug() == "subscription-not-found");
  }
  CHECK(f.send(Method::Delete, path, f.ada).slug() == "subscription-not-found");
  CHECK(f.get("/v1/subscriptions/none", f.admin).slug() == "subscription-not-found");

  // The log tells of all of it, and holds no secret.
  const Answer log = f.get("/v1/events?includeSystem=true&aggregateId=%24subscription%2F" + id_in(path), f.admin);
  CHECK(log.text("/events/0/eventType") == "$SubscriptionCreated");
  CHECK(log.text("/events/1/eventType") == "$SubscriptionChanged");
  CHECK(log.body.find("$SubscriptionDeleted") != std::string::npos);
  CHECK(log.body.find("topsecret") == std::string::npos);
  CHECK(log.body.find("whsec_") == std::string::npos);
}

TEST_CASE("SubscriptionEndpoints.WhatCannotBeMadeIsRefused") {
  Endpoints f;
  const auto refused = [&](const std::string& body) {
    const Answer answer = f.post("/v1/events/subscribe", f.ada, body);
    return std::to_string(answer.status) + " " + answer.slug();
  };
  CHECK(refused("{") == "400 malformed-json");
  CHECK(refused("{}") == "422 invalid-request");
  CHECK(refused(R"({"callbackUrl":"https://forbidden.example"})") == "422 callback-refused");
  CHECK(refused(R"({"delivery":{"type":"redis-stream","key":"k"}})") == "422 redis-not-configured");
  CHECK(refused(R"({"delivery":{"type":"pull"},"from":1000000})") == "422 invalid-request");
  CHECK(refused(R"({"delivery":{"type":"pull"},"replaces":"sub_0"})") == "422 invalid-request");
  CHECK(refused(std::string(600'000, ' ')) == "413 payload-too-large");
  CHECK(f.get("/v1/subscriptions", f.admin).at("/subscriptions") == "[]");
}

TEST_CASE("SubscriptionEndpoints.OthersFindNothingOfIt") {
  Endpoints f;
  const std::string path = f.webhook(f.ada);
  const std::vector<std::string> looks{"", "/dead-letters", "/dead-letters?held=true", "/deliveries"};
  const std::vector<std::string> acts{"/pause", "/resume", "/rotate-secret", "/test"};
  const std::vector<std::pair<std::string, std::string>> bodies{
      {"/seek", R"({"from":"now"})"}, {"/dead-letters/redrive", "{}"}, {"/pull", "{}"},
      {"/ack", R"({"leaseId":"x"})"}, {"/nack", R"({"leaseId":"x"})"}, {"/extend", R"({"leaseId":"x","lease":"1s"})"}};
  // Another service, with and without a limit, and the owner's own narrower key: 404, whatever it is.
  for (const std::string& token : {f.bob, f.narrow, f.ada_narrow, f.admin_narrow}) {
    for (const std::string& look : looks) CHECK(f.get(path + look, token).slug() == "subscription-not-found");
    for (const std::string& act : acts) CHECK(f.post(path + act, token).slug() == "subscription-not-found");
    for (const auto& [act, body] : bodies) CHECK(f.post(path + act, token, body).slug() == "subscription-not-found");
    CHECK(f.send(Method::Patch, path, token, "{}").slug() == "subscription-not-found");
    CHECK(f.send(Method::Delete, path, token).slug() == "subscription-not-found");
    CHECK(f.send(Method::Delete, path + "/dead-letters/1", token).slug() == "subscription-not-found");
    CHECK(f.get("/v1/subscriptions", token).at("/subscriptions") == "[]");
  }
  CHECK(f.get(path, f.reader).slug() == "subscription-not-found");
  CHECK(f.get("/v1/subscriptions", f.reader).at("/subscriptions") == "[]");
  // Auditors look, and do nothing.
  for (const std::string& look : looks) CHECK(f.get(path + look, f.auditor).status == 200);
  CHECK(f.get("/v1/subscriptions", f.auditor).text("/subscriptions/0/subscriptionId") == id_in(path));
  for (const std::string& act : acts) CHECK(f.post(path + act, f.auditor).slug() == "insufficient-role");
  CHECK(f.send(Method::Delete, path, f.auditor).slug() == "insufficient-role");
  CHECK(f.post("/v1/events/subscribe", f.reader, R"({"delivery":{"type":"pull"}})").slug() == "insufficient-role");
  // Another one cannot be replaced by a stranger's.
  CHECK(f.post("/v1/events/subscribe", f.bob, R"({"delivery":{"type":"pull"},"replaces":")" + id_in(path) + "\"}")
            .slug() == "invalid-request");
  // Administrators do what its owner does.
  CHECK(f.post(path + "/pause", f.admin).text("/state") == "paused");
  CHECK(f.send(Method::Patch, path, f.admin, R"({"eventTypes":["A"]})").text("/owner/name") == "ada");
  CHECK(f.send(Method::Delete, path, f.admin).status == 204);
}

TEST_CASE("SubscriptionEndpoints.ALimitGoesWithTheSubscription") {
  Endpoints f;
  const std::string path = f.pulled(f.narrow, R"(,"from":"beginning")");
  CHECK(f.get(path, f.narrow).at("/owner/aggregateTypes") == R"(["Mission","Order"])");
  f.append("m", R"("aggregateType":"Mission")");
  f.append("x", R"("aggregateType":"Other")");
  f.append("untyped");
  f.append("o", R"("aggregateType":"Order")");
  const Answer pulled = f.post(path + "/pull", f.narrow, R"({"wait":"30s"})");
  REQUIRE(pulled.status == 200);
  std::string seen = pulled.text("/events/0/aggregateId");
  // They may come in one lease or in two.
  if (pulled.at("/events/1") != "none") {
    seen += pulled.text("/events/1/aggregateId");
  } else {
    seen += f.post(path + "/pull", f.narrow, R"({"wait":"30s"})").text("/events/0/aggregateId");
  }
  CHECK(seen == "mo");
  f.wait_for(path, "/inFlight", "2");
  CHECK(f.post(path + "/pull", f.narrow, "{}").at("/events") == "[]");
}

TEST_CASE("SubscriptionEndpoints.EventsOfTheStoreItselfAreForAuditorsEyes") {
  Endpoints f;
  const std::string body = R"({"eventTypes":["A","$SubscriptionCreated"],"delivery":{"type":"pull"}})";
  const Answer service = f.post("/v1/events/subscribe", f.ada, body);
  CHECK(service.status == 403);
  CHECK(service.slug() == "insufficient-role");
  CHECK(pointer_of(service) == "/eventTypes/1");
  CHECK(f.post("/v1/events/subscribe", f.admin_narrow, body).slug() == "limit-forbids");
  const std::string own = f.pulled(f.ada);
  CHECK(f.send(Method::Patch, own, f.ada, R"({"eventTypes":["$SubscriptionCreated"]})").slug() == "insufficient-role");
  // An administrator may see them, but the one whom they would be delivered to must not.
  CHECK(f.send(Method::Patch, own, f.admin, R"({"eventTypes":["$SubscriptionCreated"]})").slug() ==
        "insufficient-role");
  const std::string path = f.subscribe(f.admin, body);
  f.pulled(f.bob);
  const Answer pulled = f.post(path + "/pull", f.admin, R"({"wait":"30s"})");
  CHECK(pulled.text("/events/0/eventType") == "$SubscriptionCreated");
}

TEST_CASE("SubscriptionEndpoints.EventsArePulledAndAnswered") {
  Endpoints f;
  const std::string path = f.pulled(f.ada);
  CHECK(f.post(path + "/pull", f.ada, "{}").at("/leaseId") == "null");
  auto waiting = f.begin(Method::Post, path + "/pull", f.ada, R"({"wait":"30s","limit":1})");
  const std::uint64_t position = f.append("a");
  REQUIRE(waiting.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  const Answer first = waiting.get();
  REQUIRE(first.status == 200);
  const std::string lease = first.text("/leaseId");
  CHECK(first.text("/events/0/eventId") == f.last_event_id);
  CHECK(first.at("/events/0/position") == std::to_string(position));
  CHECK(first.at("/events/0/data") == "1");
  CHECK(first.at("/events/0/deliveryCount") == "1");
  CHECK(first.at("/events/1") == "none");

  const auto with = [&](const std::string& more) { return R"({"leaseId":")" + lease + '"' + more + "}"; };
  CHECK(f.post(path + "/extend", f.ada, with(R"(,"lease":"1min")")).status == 204);
  const Answer foreign = f.post(path + "/ack", f.ada, with(R"(,"eventIds":["0192f0c4-9000-7000-8000-000000000001"])"));
  CHECK(foreign.slug() == "invalid-request");
  CHECK(pointer_of(foreign) == "/eventIds");
  CHECK(f.post(path + "/nack", f.ada, with(R"(,"delay":"0")")).status == 204);
  CHECK(f.post(path + "/ack", f.ada, with("")).slug() == "lease-expired");
  CHECK(f.post(path + "/nack", f.ada, with("")).slug() == "lease-expired");
  CHECK(f.post(path + "/extend", f.ada, with(R"(,"lease":"1min")")).slug() == "lease-expired");

  const Answer again = f.post(path + "/pull", f.ada, R"({"wait":"30s"})");
  REQUIRE(again.text("/events/0/eventId") == f.last_event_id);
  CHECK(again.at("/events/0/deliveryCount") == "2");
  const Answer done =
      f.post(path + "/ack", f.ada,
             R"({"leaseId":")" + again.text("/leaseId") + R"(","eventIds":[")" + f.last_event_id + R"("]})");
  CHECK(done.status == 204);
  CHECK(done.body.empty());
  const Answer acked = f.get(path + "?ackedPosition=" + std::to_string(position) + "&wait=30s", f.ada);
  CHECK(std::stoull(acked.at("/watermark/position")) >= position);

  CHECK(f.post(path + "/pull", f.ada, R"({"limit":0})").slug() == "invalid-request");
  CHECK(f.post(path + "/ack", f.ada, "{}").slug() == "invalid-request");
  REQUIRE(f.post(path + "/pause", f.ada).status == 200);
  const Answer paused = f.post(path + "/pull", f.ada, "{}");
  CHECK(paused.status == 409);
  CHECK(paused.slug() == "subscription-not-active");
  CHECK(paused.text("/state") == "paused");
  CHECK(f.post(path + "/test", f.ada).slug() == "other-delivery-kind");
  CHECK(f.post(path + "/rotate-secret", f.ada).slug() == "other-delivery-kind");
  const std::string pushed = f.webhook(f.ada);
  for (const char* act : {"/pull", "/ack", "/nack", "/extend"}) {
    CHECK(f.post(pushed + act, f.ada, std::string_view(act) == "/pull" ? "{}" : R"({"leaseId":"x","lease":"1s"})")
              .status == 422);
  }
  CHECK(f.post(pushed + "/ack", f.ada, R"({"leaseId":"x"})").slug() == "other-delivery-kind");
}

TEST_CASE("SubscriptionEndpoints.ItsEndAnswersWhoeverWaitsForEvents") {
  Endpoints f;
  const std::string path = f.pulled(f.ada);
  auto waiting = f.begin(Method::Post, path + "/pull", f.ada, R"({"wait":"30s"})");
  REQUIRE(f.send(Method::Delete, path, f.ada).status == 204);
  REQUIRE(waiting.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  CHECK(waiting.get().slug() == "subscription-not-found");
}

TEST_CASE("SubscriptionEndpoints.DeadLettersAreListedTriedAgainAndForgotten") {
  Endpoints f;
  const std::string path = f.webhook(f.ada, R"(,"retry":{"maxAttempts":1})");
  std::vector<std::string> positions;
  for (const char* aggregate : {"a", "b", "c"}) {
    positions.push_back(std::to_string(f.append(aggregate)));
    f.sender.next().answer(aggregate[0] == 'b' ? 418 : 500, "no thanks");
    f.wait_for(path, "/deadLetters", std::to_string(positions.size()));
  }
  const std::string letters = path + "/dead-letters";
  const Answer all = f.get(letters, f.ada);
  REQUIRE(all.status == 200);
  CHECK(all.at("/deadLetters/0/position") == positions[0]);
  CHECK(all.text("/deadLetters/0/aggregateId") == "a");
  CHECK(all.text("/deadLetters/2/eventId") == f.last_event_id);
  CHECK(all.at("/deadLetters/1/status") == "418");
  CHECK(all.at("/deadLetters/1/attempts") == "1");
  CHECK(all.at("/deadLetters/3") == "none");
  CHECK(all.at("/nextCursor") == "null");
  CHECK(f.get(path, f.ada).at("/lastError/status") == "500");

  const Answer page = f.get(letters + "?limit=2", f.ada);
  CHECK(page.at("/deadLetters/1/position") == positions[1]);
  CHECK(page.at("/deadLetters/2") == "none");
  CHECK(page.header("Link") == "<" + letters + "?limit=2&cursor=" + page.text("/nextCursor") + ">; rel=\"next\"");
  const Answer rest = f.get(letters + "?limit=2&cursor=" + page.text("/nextCursor"), f.ada);
  CHECK(rest.at("/deadLetters/0/position") == positions[2]);
  CHECK(f.get(letters + "?cursor=x", f.ada).slug() == "invalid-cursor");
  CHECK(f.get(letters + "?held=true&cursor=" + page.text("/nextCursor"), f.ada).slug() == "invalid-cursor");
  CHECK(f.get(letters + "?held=perhaps", f.ada).slug() == "invalid-parameter");
  const Answer lines =
      f.service.get(letters, {{"Authorization", "Bearer " + f.ada}, {"Accept", "application/x-ndjson"}});
  CHECK(lines.streamed);
  CHECK(std::count(lines.body.begin(), lines.body.end(), '\n') == 3);

  const auto redriven = [&](const std::string& body) {
    return f.post(letters + "/redrive", f.ada, body).at("/positions");
  };
  CHECK(redriven(R"({"dryRun":true})") == "[" + positions[0] + "," + positions[1] + "," + positions[2] + "]");
  CHECK(redriven(R"({"where":{"status":418},"dryRun":true})") == "[" + positions[1] + "]");
  CHECK(redriven(R"({"where":{"aggregateIds":["c","d"],"eventTypes":["T"]},"dryRun":true})") ==
        "[" + positions[2] + "]");
  CHECK(redriven(R"({"where":{"eventTypes":["U"]},"dryRun":true})") == "[]");
  CHECK(redriven(R"({"where":{"olderThan":"1h"},"dryRun":true})") == "[]");
  CHECK(f.post(letters + "/redrive", f.ada, R"({"when":1})").slug() == "invalid-request");

  // One that is being tried again cannot be dropped; if that succeeds it is gone.
  CHECK(redriven("{\"positions\":[" + positions[1] + "]}") == "[" + positions[1] + "]");
  TestSender::Sent again = f.sender.next();
  CHECK(f.send(Method::Delete, letters + "/" + positions[1], f.ada).slug() == "delivery-in-progress");
  again.answer(204);
  f.wait_for(path, "/deadLetters", "2");
  CHECK(f.send(Method::Delete, letters + "/" + positions[1], f.ada).slug() == "dead-letter-not-found");
  CHECK(f.send(Method::Delete, letters + "/" + positions[0], f.ada).status == 204);
  CHECK(f.get(path, f.ada).at("/deadLetters") == "1");
  for (const char* none : {"x", "-1", "1x", "99999999999999999999", "%20"}) {
    CHECK(f.send(Method::Delete, letters + "/" + none, f.ada).slug() == "dead-letter-not-found");
  }
}

TEST_CASE("SubscriptionEndpoints.ParkedAggregatesAreShown") {
  Endpoints f;
  const std::string path = f.webhook(f.ada, R"(,"retry":{"maxAttempts":1},"onDeadLetter":"park")");
  f.append("a");
  f.sender.next().answer(500);
  f.wait_for(path, "/deadLetters", "1");
  const Answer held = f.get(path + "/dead-letters?held=true", f.ada);
  CHECK(held.text("/held/0/aggregateId") == "a");
  CHECK(held.at("/held/0/parked") == "true");
  CHECK(held.at("/held/0/nextAttempt") == "null");
  CHECK(held.at("/held/1") == "none");
  CHECK(f.get(path, f.ada).at("/heldBack") == "1");
}

TEST_CASE("SubscriptionEndpoints.AttemptsAndTheFateOfAnEventAreOneCall") {
  Endpoints f;
  const std::string path = f.webhook(f.ada, R"(,"retry":{"maxAttempts":1})");
  const std::string other = f.subscribe(f.bob, R"({"eventTypes":["U"],"delivery":{"type":"pull"}})");
  f.append("a");
  TestSender::Sent sent = f.sender.next();
  const std::string fates = "/v1/events/" + f.last_event_id + "/deliveries";
  CHECK(f.get(fates, f.ada).text("/deliveries/0/fate") == "in-flight");
  sent.answer(500, "why\xFF");
  f.wait_for(path, "/deadLetters", "1");
  const Answer attempts = f.get(path + "/deliveries", f.ada);
  REQUIRE(attempts.status == 200);
  CHECK(attempts.text("/deliveries/0/batchId") == sent.id());
  CHECK(attempts.at("/deliveries/0/status") == "500");
  CHECK(attempts.at("/deliveries/0/delivered") == "false");
  CHECK(attempts.at("/deliveries/0/attempt") == "1");
  CHECK(attempts.text("/deliveries/0/answer").starts_with("why"));
  CHECK(attempts.at("/deliveries/1") == "none");
  CHECK(attempts.at("/nextCursor") == "null");
  f.append("b");
  f.sender.next().answer(200);
  wait_until([&] { return f.get(path + "/deliveries?limit=1", f.ada).at("/deliveries/0/delivered") == "true"; });
  CHECK(f.get(path + "/deliveries?limit=1", f.ada).at("/deliveries/1") == "none");
  CHECK(f.get(path + "/deliveries?limit=0", f.ada).slug() == "invalid-parameter");
  CHECK(f.get(path + "/deliveries?cursor=x", f.ada).slug() == "unknown-parameter");
  const Answer lines =
      f.service.get(path + "/deliveries", {{"Authorization", "Bearer " + f.ada}, {"Accept", "application/x-ndjson"}});
  CHECK(std::count(lines.body.begin(), lines.body.end(), '\n') == 2);

  // Each sees the subscriptions that it may see.
  const Answer mine = f.get(fates, f.ada);
  CHECK(mine.text("/deliveries/0/subscriptionId") == id_in(path));
  CHECK(mine.text("/deliveries/0/fate") == "dead-letter");
  CHECK(mine.at("/deliveries/0/attempts/0/status") == "500");
  CHECK(mine.at("/deliveries/1") == "none");
  const Answer theirs = f.get(fates, f.bob);
  CHECK(theirs.text("/deliveries/0/subscriptionId") == id_in(other));
  CHECK(theirs.text("/deliveries/0/fate") == "not-matching");
  const Answer all = f.get(fates + "?limit=1", f.auditor);
  CHECK(all.at("/deliveries/1") == "none");
  const Answer more = f.get(fates + "?limit=1&cursor=" + all.text("/nextCursor"), f.auditor);
  CHECK(more.text("/deliveries/0/subscriptionId") != all.text("/deliveries/0/subscriptionId"));
  CHECK(f.get(fates, f.narrow).slug() == "event-not-found");  // of no type that it may see
  CHECK(f.get("/v1/events/none/deliveries", f.admin).slug() == "event-not-found");
}

TEST_CASE("SubscriptionEndpoints.AReaderWaitsForItsOwnWrite") {
  Endpoints f;
  const std::string path = f.webhook(f.ada);
  const std::uint64_t position = f.append("a");
  const std::string target = path + "?ackedPosition=" + std::to_string(position);
  TestSender::Sent sent = f.sender.next();
  const Answer not_yet = f.get(target + "&wait=1ms", f.ada);
  CHECK(not_yet.status == 200);
  CHECK(std::stoull(not_yet.at("/watermark/position")) < position);
  CHECK(not_yet.at("/inFlight") == "1");
  auto waiting = f.begin(Method::Get, target + "&wait=30s", f.ada);
  sent.answer(200);
  REQUIRE(waiting.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  CHECK(std::stoull(waiting.get().at("/watermark/position")) >= position);
  CHECK(f.get(path + "?wait=1s", f.ada).slug() == "invalid-parameter");
  CHECK(f.get(target + "&wait=31s", f.ada).slug() == "invalid-parameter");
  CHECK(f.get(target + "&wait=5", f.ada).slug() == "invalid-parameter");
  CHECK(f.get(path + "?ackedPosition=x", f.ada).slug() == "invalid-parameter");
  CHECK(f.get(path + "?acked=1", f.ada).slug() == "unknown-parameter");
  CHECK(f.get(target, f.bob).slug() == "subscription-not-found");
}

TEST_CASE("SubscriptionEndpoints.APausedOneIsSetToAnotherPlace") {
  Endpoints f;
  const std::uint64_t first = f.append("a");
  f.append("b");
  const std::string path = f.webhook(f.ada);
  const std::string body = R"({"from":)" + std::to_string(first) + "}";
  const Answer busy = f.post(path + "/seek", f.ada, body);
  CHECK(busy.status == 409);
  CHECK(busy.slug() == "subscription-not-paused");
  CHECK(busy.text("/state") == "active");
  REQUIRE(f.post(path + "/pause", f.ada).status == 200);
  const std::string before = f.get(path, f.ada).at("/watermark/position");
  const Answer dry = f.post(path + "/seek", f.ada, R"({"dryRun":true,"from":)" + std::to_string(first) + "}");
  CHECK(dry.status == 200);
  CHECK(dry.at("/watermark/position") == std::to_string(first));
  CHECK(f.get(path, f.ada).at("/watermark/position") == before);
  CHECK(f.get(path, f.ada).at("/generation") == "1");
  CHECK(f.post(path + "/seek", f.ada, body).at("/watermark/position") == std::to_string(first));
  CHECK(f.get(path, f.ada).at("/generation") == "2");
  CHECK(f.post(path + "/seek", f.ada, R"({"from":1000000})").slug() == "invalid-request");
  CHECK(f.post(path + "/seek", f.ada, "{}").slug() == "invalid-request");
  CHECK(f.sender.waiting() == 0);
  REQUIRE(f.post(path + "/resume", f.ada).status == 200);
  TestSender::Sent sent = f.sender.next();
  CHECK(sent.outline() == "b:1");
  sent.answer(200);
}

TEST_CASE("SubscriptionEndpoints.ATestGoesTheWayOfAllOthers") {
  Endpoints f;
  const std::string path = f.webhook(f.ada);
  auto waiting = f.begin(Method::Post, path + "/test", f.ada);
  TestSender::Sent sent = f.sender.next();
  CHECK(sent.request.body.find(R"("eventType":"stele.test")") != std::string::npos);
  CHECK_FALSE(sent.id().empty());
  sent.answer(202, "thanks");
  REQUIRE(waiting.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  const Answer good = waiting.get();
  CHECK(good.at("/delivered") == "true");
  CHECK(good.at("/status") == "202");
  CHECK(good.at("/error") == "none");
  CHECK(good.text("/answer") == "thanks");
  waiting = f.begin(Method::Post, path + "/test", f.ada);
  f.sender.next().fail(WebhookAnswer::Outcome::AddressRefused);
  REQUIRE(waiting.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  const Answer bad = waiting.get();
  CHECK(bad.status == 200);
  CHECK(bad.at("/delivered") == "false");
  CHECK(bad.text("/error") == "address-refused");
  CHECK(bad.at("/status") == "null");
  for (const auto outcome : {WebhookAnswer::Outcome::Busy, WebhookAnswer::Outcome::Cancelled}) {
    waiting = f.begin(Method::Post, path + "/test", f.ada);
    f.sender.next().fail(outcome);
    REQUIRE(waiting.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    const Answer busy = waiting.get();
    CHECK(busy.status == 503);
    CHECK(busy.slug() == "busy");
    CHECK(busy.header("Retry-After") == "1");
  }
  CHECK(f.get(path, f.ada).at("/deadLetters") == "0");
  CHECK(f.get(path, f.ada).at("/failures") == "0");
}

TEST_CASE("SubscriptionEndpoints.ListsGoPageByPage") {
  Endpoints f;
  std::set<std::string> made, seen;
  for (int i = 0; i < 5; ++i) {
    made.insert(id_in(f.pulled(f.ada)));
    f.pulled(f.bob);
  }
  std::string target = "/v1/subscriptions?limit=2";
  std::size_t pages = 0;
  for (std::string cursor; ++pages < 20;) {
    const Answer page = f.get(cursor.empty() ? target : target + "&cursor=" + cursor, f.ada);
    REQUIRE(page.status == 200);
    for (int i = 0; i < 2; ++i) {
      const std::string id = page.text("/subscriptions/" + std::to_string(i) + "/subscriptionId");
      if (id != "none") CHECK(seen.insert(id).second);
    }
    CHECK(page.at("/subscriptions/2") == "none");
    if (page.at("/nextCursor") == "null") break;
    cursor = page.text("/nextCursor");
    CHECK(page.header("Link") == "</v1/subscriptions?limit=2&cursor=" + cursor + ">; rel=\"next\"");
  }
  CHECK(seen == made);
  CHECK(f.get("/v1/subscriptions?limit=0", f.ada).slug() == "invalid-parameter");
  CHECK(f.get("/v1/subscriptions?state=active", f.ada).slug() == "unknown-parameter");
  const Answer lines =
      f.service.get("/v1/subscriptions", {{"Authorization", "Bearer " + f.admin}, {"Accept", "application/x-ndjson"}});
  CHECK(lines.type == "application/x-ndjson");
  CHECK(std::count(lines.body.begin(), lines.body.end(), '\n') == 10);
}

TEST_CASE("SubscriptionEndpoints.OneTakesThePlaceOfAnother") {
  Endpoints f;
  const std::string before = f.pulled(f.ada);
  const std::uint64_t position = f.append("a");
  const std::string after = f.pulled(f.ada, R"(,"replaces":")" + id_in(before) + '"');
  CHECK(f.get(before, f.ada).slug() == "subscription-not-found");
  const Answer pulled = f.post(after + "/pull", f.ada, R"({"wait":"30s"})");
  CHECK(pulled.at("/events/0/position") == std::to_string(position));
}

TEST_CASE("SubscriptionEndpoints.AThousandIsTheMost") {
  Endpoints f;
  const std::string first = f.pulled(f.ada);
  for (std::size_t i = 1; i < SubscriptionLimits().subscriptions_max; ++i) f.pulled(f.ada);
  const Answer refused = f.post("/v1/events/subscribe", f.bob, R"({"delivery":{"type":"pull"}})");
  CHECK(refused.status == 422);
  CHECK(refused.slug() == "too-many-subscriptions");
  REQUIRE(f.send(Method::Delete, first, f.ada).status == 204);
  f.pulled(f.bob);
}

TEST_CASE("SubscriptionEndpoints.SoManyMayWaitAndNoMore") {
  constexpr int kWaitingMax = 256;
  Endpoints f;
  const std::string path = f.webhook(f.ada), pulled = f.pulled(f.ada, R"(,"eventTypes":["Never"])");
  const std::string target = path + "?wait=30s&ackedPosition=" + std::to_string(f.append("a"));
  TestSender::Sent sent = f.sender.next();
  std::vector<std::future<Answer>> waiting, pulling;
  for (int i = 0; i < kWaitingMax; ++i) {
    waiting.push_back(f.begin(Method::Get, target, f.ada));
    pulling.push_back(f.begin(Method::Post, pulled + "/pull", f.ada, R"({"wait":"30s"})"));
  }
  for (const Answer& late : {f.get(target, f.ada), f.post(pulled + "/pull", f.ada, R"({"wait":"30s"})")}) {
    CHECK(late.status == 429);
    CHECK(late.slug() == "too-many-waiting");
    CHECK(late.header("Retry-After") == "1");
  }
  sent.answer(200);
  REQUIRE(f.send(Method::Delete, pulled, f.ada).status == 204);
  for (int i = 0; i < kWaitingMax; ++i) {
    REQUIRE(waiting[i].wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    CHECK(waiting[i].get().status == 200);
    REQUIRE(pulling[i].wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    CHECK(pulling[i].get().slug() == "subscription-not-found");
  }
}

TEST_CASE("SubscriptionEndpoints.WhoHasLeftIsGivenNoEvents") {
  Endpoints f;
  const std::string path = f.pulled(f.ada);
  const auto leaving = std::make_shared<TestRequest>(Method::Post, path + "/pull", R"({"wait":"30s"})",
                                                     Endpoints::headers(f.ada, true), f.service.scheduler());
  auto left = f.service.begin(leaving);
  // Behind it in the line of those who wait.
  auto waiting = f.begin(Method::Post, path + "/pull", f.ada, R"({"wait":"30s"})");
  leaving->is_abandoned = true;
  f.append("a");
  REQUIRE(waiting.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  const Answer pulled = waiting.get();
  CHECK(pulled.text("/events/0/eventId") == f.last_event_id);
  CHECK(pulled.at("/events/0/deliveryCount") == "1");
  REQUIRE(left.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  CHECK(left.get().at("/events") == "[]");
}
