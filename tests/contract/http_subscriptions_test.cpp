// Subscriptions of a real server: what its receivers get over HTTP, and what remains after it was killed.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/json/json_writer.h"
#include "tests/contract/http_fixture.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/certificates.h"
#include "tests/support/client_script.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

struct Delivery {
  std::string head, body;

  [[nodiscard]] std::string field(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t from = at + name.size() + 4;
    return head.substr(from, head.find("\r\n", from) - from);
  }
};

/// Answers what comes as it is told, 204 if it is told nothing, and keeps it.
class Inbox {
 public:
  explicit Inbox(const std::optional<ReceiverTls>& tls = {})
      : receiver_([this](WebhookReceiver::Peer& peer) { serve(peer); }, tls) {}
  void answer_with(std::vector<int> statuses) {
    const std::lock_guard lock(mutex_);
    statuses_.assign(statuses.begin(), statuses.end());
  }
  [[nodiscard]] Delivery next() {
    std::unique_lock lock(mutex_);
    REQUIRE(came_.wait_for(lock, std::chrono::seconds(60), [&] { return !deliveries_.empty(); }));
    Delivery delivery = std::move(deliveries_.front());
    deliveries_.pop_front();
    return delivery;
  }
  [[nodiscard]] std::string url() const { return receiver_.url(); }

 private:
  void serve(WebhookReceiver::Peer& peer) {
    for (;;) {
      const std::string request = peer.read_request();
      if (request.empty()) return;
      const std::size_t head = request.find("\r\n\r\n");
      int status = 204;
      {
        const std::lock_guard lock(mutex_);
        if (!statuses_.empty()) {
          status = statuses_.front();
          statuses_.pop_front();
        }
        deliveries_.push_back({request.substr(0, head + 2), request.substr(head + 4)});
      }
      came_.notify_all();
      if (!peer.answer(status, status == 301 ? "Location: http://127.0.0.1:1/\r\n" : "")) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<int> statuses_;
  std::deque<Delivery> deliveries_;
  WebhookReceiver receiver_;
};

std::string verdict_on(const std::string& secret, const Delivery& delivery) {
  std::string input;
  api::JsonWriter json(input);
  json.begin_object().key("headers").begin_object();
  for (const char* name : {"webhook-id", "webhook-timestamp", "webhook-signature"}) {
    json.key(name).string(delivery.field(name));
  }
  json.end_object().key("body").string(delivery.body).end_object();
  const ProcessResult result = run_client_script("verify_webhook", {secret}, input);
  CHECK_EQ(result.exit_code, 0);
  return result.out;
}

const std::vector<std::string> kLoopback{"--allow-callback-net", "127.0.0.1/32"};

/// Makes one.
Json subscribed(HttpClient& client, const std::string& body, const Headers& headers = {}) {
  const HttpResponse response = client.post("/v1/events/subscribe", body, "application/json", headers);
  REQUIRE_MESSAGE(response.status == 201, response.body);
  return Json(response.body);
}
std::string path_to(const Json& subscription) { return "/v1/subscriptions/" + subscription.text("/subscriptionId"); }

Json posted(HttpClient& client, const std::string& target, const std::string& body = "{}", int status = 200) {
  const HttpResponse response = client.post(target, body);
  REQUIRE_MESSAGE(response.status == status, response.body);
  return Json(response.body.empty() ? "null" : response.body);
}

void wait_for_state(HttpClient& client, const std::string& path, const std::string& state,
                    const Headers& headers = {}) {
  HttpResponse response;
  const bool is_so = eventually([&] {
    response = client.get(path, headers);
    REQUIRE_MESSAGE(response.status == 200, response.body);
    return Json(response.body).text("/state") == state;
  });
  REQUIRE_MESSAGE(is_so, response.body);
}

void wait_for(HttpClient& client, const std::string& path, const std::function<bool(const Json&)>& condition) {
  std::string shown;
  const bool is_so = eventually([&] {
    const Json json = get_json(client, path);
    shown = json.minified();
    return condition(json);
  });
  REQUIRE_MESSAGE(is_so, shown);
}

bool holds_text(const std::filesystem::path& folder, const std::string& text) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    if (contains(content, text)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("HttpSubscriptions.TheShortFormDeliversSignedEvents") {
  Inbox inbox;
  Api api(kLoopback);
  HttpClient client = api.client();
  const Json made = subscribed(client, R"({"eventType":"MissionCreated","callbackUrl":")" + inbox.url() + "\"}");
  append(client, event_json("m/0", "Other"));
  const Json receipt = append(client, event_json("m/1", "MissionCreated", R"({"name":"Jün"})"));
  const Delivery delivery = inbox.next();
  const Json body(delivery.body);
  CHECK(body.text("/subscriptionId") == made.text("/subscriptionId"));
  CHECK(body.list("/events").size() == 1);
  CHECK(body.text("/events/0/eventId") == receipt.text("/eventId"));
  CHECK(body.text("/events/0/data/name") == "Jün");
  CHECK(delivery.field("Content-Type").starts_with("application/json"));
  CHECK(verdict_on(made.text("/secret"), delivery) == "good\n");
  // Waiting for it to be done.
  const Json after =
      get_json(client, path_to(made) + "?ackedPosition=" + std::to_string(receipt.number("/position")) + "&wait=30s");
  CHECK(after.number("/watermark/position") >= receipt.number("/position"));

  // Both secrets sign for a while.
  const Json rotated = posted(client, path_to(made) + "/rotate-secret", "");
  append(client, event_json("m/1", "MissionCreated"));
  const Delivery second = inbox.next();
  CHECK(second.field("webhook-id") != delivery.field("webhook-id"));
  CHECK(verdict_on(made.text("/secret"), second) == "good\n");
  CHECK(verdict_on(rotated.text("/secret"), second) == "good\n");
  CHECK(verdict_on("whsec_" + std::string(43, 'A') + "=", second) == "No matching signature found\n");
}

TEST_CASE("HttpSubscriptions.OneAttemptAfterAnotherHasTheSameId") {
  Inbox inbox;
  inbox.answer_with({503, 301});
  Api api(kLoopback);
  HttpClient client = api.client();
  const Json made = subscribed(client, R"({"delivery":{"type":"webhook","url":")" + inbox.url() +
                                           R"(","headers":{"X-Key":"topsecret"}},
                                           "retry":{"initialDelayMs":100,"maxDelayMs":100}})");
  const std::string position = std::to_string(append(client, event_json("m/1")).number("/position"));
  const std::string id = inbox.next().field("webhook-id");
  CHECK_FALSE(id.empty());
  for (int attempt = 2; attempt <= 3; ++attempt) {
    const Delivery again = inbox.next();
    CHECK(again.field("webhook-id") == id);
    CHECK(again.field("X-Key") == "topsecret");
    CHECK(verdict_on(made.text("/secret"), again) == "good\n");
  }
  const Json after = get_json(client, path_to(made) + "?ackedPosition=" + position + "&wait=30s");
  CHECK(after.number("/lastError/status") == 301);
  CHECK(after.number("/failures") == 2);
  CHECK(after.number("/deadLetters") == 0);
  const Json attempts = get_json(client, path_to(made) + "/deliveries");
  CHECK(attempts.list("/deliveries").size() == 3);
  CHECK(attempts.text("/deliveries/2/batchId") == id);
  CHECK(attempts.number("/deliveries/0/status") == 204);
}

TEST_CASE("HttpSubscriptions.CallbacksGoWhereTheOperatorLetsThem") {
  Api api;
  HttpClient client = api.client();
  for (const char* url : {"http://127.0.0.1:9/", "http://[::1]/", "http://10.0.0.1/", "http://169.254.169.254/latest",
                          "http://[::ffff:127.0.0.1]/", "ftp://a.example/", "https://user@a.example/", "a.example"}) {
    CAPTURE(url);
    const Json problem = check_problem(
        client.post("/v1/events/subscribe", R"({"callbackUrl":")" + std::string(url) + "\"}"), 422, "callback-refused");
    CHECK(names_pointer(problem, "/callbackUrl"));
  }
  check_problem(client.post("/v1/events/subscribe", R"({"delivery":{"type":"redis-stream","key":"k"}})"), 422,
                "redis-not-configured");
  check_problem(client.post("/v1/events/subscribe", R"({"delivery":{"type":"pull"},"schemaVersion":2})"), 422,
                "invalid-request");
  // The server's own port, whatever is allowed.
  Api open(kLoopback);
  HttpClient other = open.client();
  check_problem(other.post("/v1/events/subscribe",
                           R"({"callbackUrl":"http://127.0.0.1:)" + std::to_string(open.port()) + "/v1/events\"}"),
                422, "callback-refused");
}

TEST_CASE("HttpSubscriptions.AReceiverThatIsGoneStopsItUntilItIsResumed") {
  Inbox inbox;
  inbox.answer_with({410});
  Api api(kLoopback);
  HttpClient client = api.client();
  const std::string path = path_to(subscribed(client, R"({"callbackUrl":")" + inbox.url() + "\"}"));
  const Json receipt = append(client, event_json("m/1"));
  (void)inbox.next();
  wait_for_state(client, path, "stopped");
  CHECK_FALSE(get_json(client, path).is_null("/reason"));
  CHECK(posted(client, path + "/resume", "").text("/state") == "active");
  CHECK(Json(inbox.next().body).text("/events/0/eventId") == receipt.text("/eventId"));
}

TEST_CASE("HttpSubscriptions.WhatWasNotAnsweredComesAgainAfterAKill") {
  Api api;
  HttpClient client = api.client();
  const Json made = subscribed(client, R"({"delivery":{"type":"pull"},"from":"beginning"})");
  const std::string path = path_to(made);
  const Json receipt = append(client, event_json("a"));
  const std::string first = receipt.text("/eventId");
  const std::string second = append(client, event_json("b")).text("/eventId");
  const Json pulled = posted(client, path + "/pull", R"({"limit":1,"wait":"30s"})");
  REQUIRE(pulled.text("/events/0/eventId") == first);
  (void)posted(client, path + "/ack", R"({"leaseId":")" + pulled.text("/leaseId") + "\"}", 204);
  (void)get_json(client, path + "?ackedPosition=" + std::to_string(receipt.number("/position")) + "&wait=30s");
  const Json held = posted(client, path + "/pull", R"({"limit":1,"wait":"30s","lease":"1h"})");
  REQUIRE(held.text("/events/0/eventId") == second);
  api.kill_and_restart();
  HttpClient again = api.client();
  CHECK(get_json(again, path).text("/state") == "active");
  CHECK(get_json(again, path).text("/created") == made.text("/created"));
  // The first may come too: what says that it was done was perhaps not synced.
  std::vector<std::string> seen;
  while (std::find(seen.begin(), seen.end(), second) == seen.end()) {
    const Json more = posted(again, path + "/pull", R"({"wait":"30s"})");
    REQUIRE_FALSE(more.list("/events").empty());
    for (const Json& event : more.list("/events")) seen.push_back(event.text("/eventId"));
  }
  check_problem(again.post(path + "/ack", R"({"leaseId":")" + held.text("/leaseId") + "\"}"), 409, "lease-expired");
}

TEST_CASE("HttpSubscriptions.NoSecretIsInTheDataOrTheLog") {
  Inbox inbox;
  test::TempFolder folder;
  const std::string data = folder.file("data"), keys = folder.file("keys");
  ServerProcess server = ServerProcess::start(
      {data,
       {"--key-store", keys, "--allow-callback-net", "127.0.0.1/32", "--segment-size", "1MiB"},  // all of it is read
       {},
       0});
  HttpClient client(server.port());
  const Json made = subscribed(
      client, R"({"delivery":{"type":"webhook","url":")" + inbox.url() + R"(","headers":{"X-Key":"topsecretvalue"}}})");
  const std::string position = std::to_string(append(client, event_json("m/1")).number("/position"));
  const Delivery delivery = inbox.next();
  CHECK(delivery.field("X-Key") == "topsecretvalue");
  (void)get_json(client, path_to(made) + "?ackedPosition=" + position + "&wait=30s");
  CHECK(server.stop() == 0);
  const std::string secret = made.text("/secret").substr(6);
  CHECK(holds_text(keys, secret));
  CHECK(holds_text(keys, "topsecretvalue"));
  CHECK_FALSE(holds_text(data, secret));
  CHECK_FALSE(holds_text(data, "topsecretvalue"));
  CHECK_FALSE(contains(server.err(), secret));
  CHECK_FALSE(contains(server.err(), "topsecretvalue"));
}

TEST_CASE("HttpSubscriptions.AnOwnerWhoseKeyIsRevokedGetsNothingMore") {
  test::TempFolder folder;
  const std::string data = folder.file("data");
  ServerProcess server = ServerProcess::start({data, {"--auth", "on"}, {}, 0});
  const auto key = [&](const std::string& role, const std::string& name) {
    const auto made = run_stele({"token", "create", "--data", data, "--role", role, "--name", name});
    REQUIRE(made.exit_code == 0);
    return made.out.substr(0, made.out.find('\n'));
  };
  const auto bearer = [](const std::string& token) { return Headers{{"Authorization", "Bearer " + token}}; };
  const Headers owner = bearer(key("service", "orders")), admin = bearer(key("admin", "root"));
  HttpClient client(server.port());
  const std::string path = path_to(subscribed(client, R"({"delivery":{"type":"pull"}})", owner));
  CHECK(client.get(path, owner).status == 200);
  const auto listed = run_stele({"token", "list", "--data", data, "--format", "ndjson"});
  std::string id;
  for (std::size_t at = 0; at < listed.out.size();) {
    const std::size_t end = listed.out.find('\n', at);
    const Json entry(listed.out.substr(at, end - at));
    if (entry.text("/name") == "orders") id = entry.text("/id");
    at = end + 1;
  }
  REQUIRE(run_stele({"token", "revoke", id, "--data", data}).exit_code == 0);
  CHECK(client.get(path, owner).status == 401);
  wait_for_state(client, path, "suspended", admin);
  check_problem(client.post(path + "/pull", "{}", "application/json", admin), 409, "subscription-not-active");
  // An administrator may take it over.
  const HttpResponse resumed = client.post(path + "/resume", "", "application/json", admin);
  REQUIRE_MESSAGE(resumed.status == 200, resumed.body);
  CHECK(Json(resumed.body).text("/state") == "active");
  CHECK(Json(resumed.body).text("/owner/name") == "root");
  CHECK(client.post(path + "/pull", "{}", "application/json", admin).status == 200);
}

TEST_CASE("HttpSubscriptions.AReceiverThatDemandsACertificateIsShownOne") {
  const TestAuthority receivers("Receivers"), clients("Clients"), strangers("Strangers");
  Inbox inbox(ReceiverTls{receivers.issue_server(), clients.certificate()});
  Api api(kLoopback);
  HttpClient client = api.client();
  const auto pem = [](const std::string& text) {
    std::string json;
    api::JsonWriter(json).string(text);
    return json;
  };
  const auto tls = [&](const std::string& ca, const Identity& identity) {
    std::string members = R"("tls":{"ca":)" + pem(ca);
    if (!identity.key.empty()) {
      members += R"(,"clientCertificate":)" + pem(identity.certificate);
      members += R"(,"clientKey":)" + pem(identity.key);
    }
    return members + "}";
  };
  const Identity ours = clients.issue({.common_name = "stele"}), theirs = strangers.issue({.common_name = "stele"});
  const Json made = subscribed(client, R"({"delivery":{"type":"webhook","url":")" + inbox.url() + "\"," +
                                           tls(receivers.certificate(), {}) +
                                           R"(},"retry":{"maxAttempts":50,"initialDelayMs":1000,"maxDelayMs":1000}})");
  const std::string path = path_to(made);
  CHECK(made.at("/delivery/hasCa").minified() == "true");
  const Json receipt = append(client, event_json("m/1"));
  wait_for(client, path, [](const Json& shown) { return shown.number("/failures") > 0; });
  const auto tested = [&] { return posted(client, path + "/test", ""); };
  const auto check_refused = [&] {
    const Json outcome = tested();
    CHECK(outcome.at("/delivered").minified() == "false");
    CHECK(outcome.text("/error") == "tls-failed");
    CHECK(outcome.is_null("/status"));
    const Json shown = get_json(client, path);
    CHECK(shown.text("/lastError/error") == "tls-failed");
    CHECK(shown.is_null("/lastError/status"));
    CHECK(shown.text("/state") == "active");
    CHECK(shown.number("/deadLetters") == 0);
  };
  const auto change = [&](const std::string& members) {
    const HttpResponse changed =
        client.request("PATCH", path, R"({"delivery":{)" + members + "}}", {{"Content-Type", "application/json"}});
    REQUIRE_MESSAGE(changed.status == 200, changed.body);
    CHECK(Json(changed.body).at("/delivery/hasClientCertificate").minified() == "true");
    CHECK_FALSE(contains(changed.body, "-----BEGIN"));
  };
  check_refused();                               // none at all
  change(tls(receivers.certificate(), theirs));  // one that the receiver does not believe
  check_refused();
  change(tls(strangers.certificate(), ours));  // the right one, but it is the receiver that is not believed
  check_refused();
  const Json waiting = get_json(client, "/v1/events/" + receipt.text("/eventId") + "/deliveries");
  CHECK(waiting.text("/deliveries/0/fate") != "delivered");
  change(tls(receivers.certificate(), ours));
  Json body(inbox.next().body);
  CHECK(body.text("/events/0/eventId") == receipt.text("/eventId"));
  const Json good = tested();
  CHECK(good.at("/delivered").minified() == "true");
  CHECK(good.number("/status") == 204);
  CHECK(Json(inbox.next().body).text("/events/0/eventType") == "stele.test");

  // It is kept in the key store, and nowhere else.
  (void)get_json(client, path + "?ackedPosition=" + std::to_string(receipt.number("/position")) + "&wait=30s");
  CHECK_FALSE(contains(client.get("/v1/events?includeSystem=true&limit=1000").body, "-----BEGIN"));
  api.kill_and_restart();
  HttpClient again = api.client();
  const std::string second = append(again, event_json("m/1")).text("/eventId");
  // The first may come once more: that it was delivered need not have been durable.
  while (!contains(body.minified(), second)) body = Json(inbox.next().body);
}

TEST_CASE("HttpSubscriptions.APulledEventIsPutOffGivenAgainAndGivenUp") {
  Api api;
  HttpClient client = api.client();
  append(client, event_json("before"));
  const Json receipt = append(client, event_json("a"));
  const std::string id = receipt.text("/eventId");
  const std::string path = path_to(
      subscribed(client, R"({"delivery":{"type":"pull"},"retry":{"maxAttempts":3,"initialDelayMs":100},"from":")" +
                             receipt.text("/timestamp") + "\"}"));
  const auto pulled = [&](const std::string& body, std::uint64_t count) {
    const Json batch = posted(client, path + "/pull", body);
    REQUIRE(batch.list("/events").size() == 1);
    CHECK(batch.text("/events/0/eventId") == id);
    CHECK(batch.number("/events/0/deliveryCount") == count);
    return R"({"leaseId":")" + batch.text("/leaseId") + '"';
  };
  (void)posted(client, path + "/nack", pulled(R"({"wait":"30s"})", 1) + R"(,"delay":"0s"})", 204);
  const std::string lost = pulled(R"({"wait":"30s","lease":"1s"})", 2);
  const std::string held = pulled(R"({"wait":"30s"})", 3);  // once the other lease is over
  check_problem(client.post(path + "/ack", lost + "}"), 409, "lease-expired");
  check_problem(client.post(path + "/nack", lost + R"(,"delay":"1s"})"), 409, "lease-expired");
  check_problem(client.post(path + "/extend", lost + R"(,"lease":"1s"})"), 409, "lease-expired");
  CHECK(get_json(client, path).text("/lastError/error") == "lease-expired");
  (void)posted(client, path + "/extend", held + R"(,"lease":"1min"})", 204);
  (void)posted(client, path + "/nack", held + R"(,"delay":"1h"})", 204);
  wait_for(client, path, [](const Json& shown) { return shown.number("/deadLetters") == 1; });
  const Json letters = get_json(client, path + "/dead-letters");
  CHECK(letters.text("/deadLetters/0/eventId") == id);
  CHECK(letters.number("/deadLetters/0/attempts") == 3);
  CHECK(letters.text("/deadLetters/0/error") == "nacked");
  CHECK(letters.is_null("/deadLetters/0/status"));

  // One that has attempts left waits as long as it was said.
  const std::string later = append(client, event_json("b")).text("/eventId");
  const Json batch = posted(client, path + "/pull", R"({"wait":"30s"})");
  CHECK(batch.text("/events/0/eventId") == later);
  (void)posted(client, path + "/nack", R"({"leaseId":")" + batch.text("/leaseId") + R"(","delay":"30min"})", 204);
  const Json waits = get_json(client, path + "/dead-letters?held=true");
  CHECK(waits.text("/held/0/aggregateId") == "b");
  CHECK(is_timestamp(waits.text("/held/0/nextAttempt")));
  CHECK(waits.text("/held/0/nextAttempt") > get_json(client, path).text("/lastError/timestamp"));
  CHECK(get_json(client, "/v1/events/" + later + "/deliveries").text("/deliveries/0/fate") == "retrying");
  CHECK(posted(client, path + "/pull", "{}").list("/events").empty());
}

TEST_CASE("HttpSubscriptions.TheFirstKibibyteOfAnAnswerIsShown") {
  const std::string body = std::string(1'000, 'a') + std::string(2'000, 'b');
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    while (!peer.read_request().empty()) peer.answer(500, {}, body);
  });
  Api api(kLoopback);
  HttpClient client = api.client();
  const std::string path = path_to(subscribed(
      client, R"({"delivery":{"type":"webhook","url":")" + receiver.url() + R"("},"retry":{"maxAttempts":1}})"));
  const std::string id = append(client, event_json("a")).text("/eventId");
  wait_for(client, path, [](const Json& shown) { return shown.number("/deadLetters") == 1; });
  CHECK(get_json(client, path + "/deliveries").text("/deliveries/0/answer") == body.substr(0, 1'024));
  const Json fate = get_json(client, "/v1/events/" + id + "/deliveries");
  CHECK(fate.text("/deliveries/0/fate") == "dead-letter");
  CHECK(fate.text("/deliveries/0/attempts/0/answer") == body.substr(0, 1'024));
  CHECK(posted(client, path + "/test", "").text("/answer") == body.substr(0, 1'024));
}

TEST_CASE("HttpSubscriptions.TheOperatorSetsWhatTheyMayAskFor") {
  Api api({"--subscriptions-max", "1", "--subscription-filters-max", "2", "--delivery-batch-max", "5",
           "--callback-headers-max", "1", "--callback-header-size", "64", "--retry-attempts-max", "3",
           "--retry-delay-min", "2s", "--retry-delay-max", "1min", "--allow-callback-net", "127.0.0.1/32"});
  HttpClient client = api.client();
  const auto refused_at = [&](const std::string& pointer, const std::string& of_delivery, const std::string& members) {
    CAPTURE(pointer);
    const std::string body =
        R"({"delivery":{"type":"webhook","url":"http://127.0.0.1:9/")" + of_delivery + "}" + members + "}";
    CHECK(names_pointer(check_problem(client.post("/v1/events/subscribe", body), 422, "invalid-request"), pointer));
  };
  refused_at("/eventTypes", "", R"(,"eventTypes":["a","b","c"])");
  refused_at("/delivery/batchSize", R"(,"batchSize":6)", "");
  refused_at("/delivery/headers", R"(,"headers":{"X-A":"1","X-B":"2"})", "");
  refused_at("/delivery/headers/X-A", R"(,"headers":{"X-A":")" + std::string(62, 'v') + "\"}", "");
  refused_at("/retry/maxAttempts", "", R"(,"retry":{"maxAttempts":4})");
  refused_at("/retry/initialDelayMs", "", R"(,"retry":{"initialDelayMs":1000})");
  refused_at("/retry/maxDelayMs", "", R"(,"retry":{"maxDelayMs":60001})");
  const Json made = subscribed(client, R"({"delivery":{"type":"pull"}})");
  CHECK(made.number("/retry/maxAttempts") == 3);
  CHECK(made.number("/retry/initialDelayMs") == 2'000);
  CHECK(made.number("/retry/maxDelayMs") == 60'000);
  check_problem(client.post("/v1/events/subscribe", R"({"delivery":{"type":"pull"}})"), 422, "too-many-subscriptions");
  for (int n = 0; n < 9; ++n) append(client, event_json("m/" + std::to_string(n)));
  CHECK(names_pointer(check_problem(client.post(path_to(made) + "/pull", R"({"limit":6})"), 422), "/limit"));
  // Without a limit there is that one.
  CHECK(posted(client, path_to(made) + "/pull", R"({"wait":"30s"})").list("/events").size() <= 5);
}

TEST_CASE("HttpSubscriptions.AWebhookIsSentTheNewestVersionUnderTheNewestName") {
  Inbox inbox;
  Api api(kLoopback);
  HttpClient client = api.client();
  posted(client, "/v1/schemas/Old", R"({"schema":true})", 201);
  const std::uint64_t first = append(client, event_json("u", "Old", R"({"name":"x"})")).number("/position");
  const auto subscribe = [&](const std::string& more) {
    return subscribed(client, R"({"eventTypes":["New"],"from":"beginning","delivery":{"type":"webhook","url":")" +
                                  inbox.url() + "\"}" + more + "}");
  };
  const Json newest = subscribe("");
  // It has passed over the first, which is of another type as yet.
  const Json waited = get_json(client, path_to(newest) + "?ackedPosition=" + std::to_string(first) + "&wait=30s");
  CHECK(waited.number("/watermark/position") >= first);
  posted(client, "/v1/schemas/Old",
         R"({"schema":true,"upcaster":{"from":1,"operations":[{"op":"rename","path":"/name","to":"title"}]}})", 201);
  REQUIRE(client.request("PUT", "/v1/event-types/Old/alias", R"({"to":"New"})", {{"Content-Type", "application/json"}})
              .status == 201);
  // What it had passed over before there was the alias stays passed over.
  append(client, event_json("u", "Old", R"({"name":"y"})", R"(,"version":1)"));
  const Json event(inbox.next().body);
  CHECK(event.text("/events/0/eventType") == "New");
  CHECK(event.text("/events/0/storedEventType") == "Old");
  CHECK(event.number("/events/0/version") == 2);
  CHECK(event.number("/events/0/storedVersion") == 1);
  CHECK(event.at("/events/0/data").minified() == R"({"title":"y"})");
  (void)subscribe(R"(,"schemaVersion":"stored")");
  const Json stored(inbox.next().body);
  CHECK(stored.at("/events/0/data").minified() == R"({"name":"x"})");
  CHECK_FALSE(stored.has("/events/0/storedVersion"));
  CHECK(get_json(client, path_to(newest)).number("/deadLetters") == 0);

  // The command line shows what the server does, and takes an export back to what was stored.
  const auto query = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"query", "--url", api.server().url(), "--aggregate", "u"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_stele(arguments).out;
  };
  CHECK(contains(query({}), R"("data":{"title":"x"})"));
  const std::string exported = query({"--schema-version", "stored"});
  CHECK(contains(exported, R"("data":{"name":"x"})"));
  Api other;
  REQUIRE(run_stele({"import", "-", "--exported", "--strict", "--url", other.server().url()}, exported).exit_code == 0);
  HttpClient reader = other.client();
  const Json imported = get_json(reader, "/v1/events?aggregateId=u");
  CHECK(imported.text("/events/0/eventType") == "Old");
  CHECK(imported.at("/events/1/data").minified() == R"({"name":"y"})");
}

}  // namespace stele::tests
