// What webhooks may take, of all and of one receiver.

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/net/webhook_client_support.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/eventually.h"

namespace stele::tests {

TEST_CASE("WebhookClient.BeyondItsBoundsItIsBusy") {
  WebhookReceiver receiver([](WebhookReceiver::Peer& peer) { peer.wait_for_end(); });
  net::WebhookClientOptions options = to_loopback();
  options.bounds = {.requests_max = 3, .body_bytes_max = 1000, .receiver_parts = 1};
  net::WebhookClient client(options);
  std::vector<std::future<WebhookAnswer>> under_way;
  under_way.push_back(begin(client, request_to(receiver.url(), std::string(990, 'x'))));
  CHECK(post(client, request_to(receiver.url(), std::string(11, 'x'))).outcome == Outcome::Busy);
  under_way.push_back(begin(client, request_to(receiver.url(), "1")));
  under_way.push_back(begin(client, request_to(receiver.url(), "2")));
  CHECK(post(client, request_to(receiver.url(), "3")).outcome == Outcome::Busy);
  CHECK(client.metrics().requests == 3);
  client.stop();
  for (auto& answer : under_way) CHECK(answer.get().outcome == Outcome::Cancelled);
  CHECK(client.metrics().requests == 0);
}

TEST_CASE("WebhookClient.OneThatHangsTakesItsShareOnly") {
  WebhookReceiver silent([](WebhookReceiver::Peer& peer) { peer.wait_for_end(); });
  WebhookReceiver other(answering(204));
  net::WebhookClientOptions options = to_loopback();
  options.resolver = std::make_shared<ScriptedNames>(
      std::map<std::string, std::vector<std::vector<const char*>>>{{"other.example", {{"127.0.0.1"}}}});
  net::WebhookClient client(options);
  std::atomic<int> busy{0}, cancelled{0};
  for (int i = 0; i < 6'000; ++i) {
    client.send(request_to(silent.url()), [&](const WebhookAnswer& answer) {
      ++(answer.outcome == Outcome::Busy ? busy : cancelled);
      CHECK((answer.outcome == Outcome::Busy || answer.outcome == Outcome::Cancelled));
    });
  }
  wait_until([&] { return silent.connections == 32; });
  CHECK(post(client, other.url("other.example")).status == 204);
  // Another port of the machine that hangs is no other receiver.
  CHECK(post(client, other.url()).outcome == Outcome::Busy);
  client.stop();
  CHECK(cancelled == 512);
  CHECK(busy == 6'000 - 512);
}

TEST_CASE("WebhookClient.OneThatHangsWithManyNamesTakesNotAll") {
  WebhookReceiver silent([](WebhookReceiver::Peer& peer) { peer.wait_for_end(); });
  WebhookReceiver other(answering(204));
  std::map<std::string, std::vector<std::vector<const char*>>> names{{"other.example", {{"127.0.0.1"}}}};
  for (int i = 0; i < 40; ++i) names["n" + std::to_string(i) + ".example"] = {{"127.0.0.1"}};
  net::WebhookClientOptions options = to_loopback();
  options.resolver = std::make_shared<ScriptedNames>(names);
  options.connections.all_max = 256;
  options.bounds.requests_max = 1024;
  net::WebhookClient client(options);
  for (const auto& [name, addresses] : names) {
    if (name == "other.example") continue;
    for (int i = 0; i < 256; ++i) client.send(request_to(silent.url(name)), [](const WebhookAnswer&) {});
  }
  wait_until([&] { return silent.connections >= 40; });  // each has one at least
  CHECK(post(client, other.url("other.example")).status == 204);
  client.stop();
}

}  // namespace stele::tests
