// Receivers of webhooks that take a connection and then say nothing.

#include <doctest/doctest.h>

#include <string>

#include "tests/contract/http_fixture.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

std::string subscribed_to(HttpClient& client, const std::string& url, const std::string& more = "") {
  const HttpResponse made = client.post(
      "/v1/events/subscribe", R"({"eventTypes":["Told"],"delivery":{"type":"webhook","url":")" + url + '"' + more +
                                  R"(},"retry":{"maxAttempts":2,"initialDelayMs":100,"maxDelayMs":100}})");
  REQUIRE_MESSAGE(made.status == 201, made.body);
  return "/v1/subscriptions/" + Json(made.body).text("/subscriptionId");
}

}  // namespace

TEST_CASE("SilentReceivers.HaveADeadlineAndHoldUpNoOthers") {
  constexpr int events = 50;
  const auto says_nothing = [](WebhookReceiver::Peer& peer) { peer.wait_for_end(); };
  WebhookReceiver without_handshake(says_nothing), without_answer(says_nothing);
  WebhookReceiver good(answering(204));
  Api api({"--allow-callback-net", "127.0.0.1/32"});
  HttpClient client = api.client();
  const std::string hangs_in_tls =
      subscribed_to(client, "https://127.0.0.1:" + std::to_string(without_handshake.port()) + "/");
  const std::string hangs_in_answer = subscribed_to(client, without_answer.url(), R"(,"timeoutMs":2000)");
  const std::string is_served = subscribed_to(client, good.url());
  std::string list = "[";
  for (int i = 0; i < events; ++i) list += (i == 0 ? "" : ",") + event_json("told/" + std::to_string(i), "Told");
  append(client, list + "]");
  CHECK(eventually([&] { return good.requests == events; }));
  CHECK(eventually([&] { return without_handshake.connections > 0 && without_answer.connections > 0; }));
  const auto is_given_up = [&](const std::string& path, const std::string& detail) {
    CAPTURE(path);
    CHECK(eventually([&] { return get_json(client, path).number("/failures") > 0; }));
    const Json shown = get_json(client, path);
    CHECK(shown.text("/state") == "active");
    CHECK(shown.text("/lastError/error") == "timed-out");
    CHECK_MESSAGE(contains(shown.text("/lastError/detail"), detail), shown.text("/lastError/detail"));
    CHECK(shown.is_null("/lastError/status"));
    CHECK(shown.number("/delivered") == 0);
  };
  is_given_up(hangs_in_answer, "no whole answer within 2000 ms");
  is_given_up(hangs_in_tls, "no connection within 5000 ms");
  CHECK(get_json(client, is_served).number("/failures") == 0);
  CHECK(eventually([&] { return get_json(client, is_served).number("/delivered") == events; }));
}

}  // namespace stele::tests
