// Where webhooks may go, and names that are looked up for them.

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/net/webhook_client_support.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/text.h"

namespace stele::tests {

TEST_CASE("WebhookClient.NothingIsSentToAnAddressThatIsRefused") {
  WebhookReceiver receiver(answering(200));
  const std::string port = std::to_string(receiver.port());
  net::WebhookClientOptions closed;
  closed.resolver = std::make_shared<ScriptedNames>(std::map<std::string, std::vector<std::vector<const char*>>>{
      {"localhost", {{"::1", "127.0.0.1"}}}, {"evil.example", {{"169.254.169.254", "10.0.0.1"}}}});
  net::WebhookClient client(closed);
  for (const std::string& url :
       {"http://127.0.0.1:" + port, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port,
        std::string("http://169.254.169.254/latest/meta-data/"), std::string("http://evil.example/"),
        std::string("http://10.0.0.1/"), "http://0.0.0.0:" + port}) {
    CAPTURE(url);
    const WebhookAnswer answer = post(client, url);
    CHECK(answer.outcome == Outcome::AddressRefused);
    CHECK(contains(answer.detail, "--allow-callback-net"));
  }
  CHECK(receiver.connections == 0);
  CHECK(client.metrics().connections_started == 0);
}

TEST_CASE("WebhookClient.ANameIsJudgedAtEveryConnect") {
  // Allowed at first, then another address: what DNS rebinding does.
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    (void)peer.read_request();
    peer.answer(200, "Connection: close\r\n");
  });
  net::WebhookClientOptions options = to_loopback();
  const auto names = std::make_shared<ScriptedNames>(std::map<std::string, std::vector<std::vector<const char*>>>{
      {"rebinds.example",
       {{"127.0.0.1"}, {"127.0.0.2"}, {"::ffff:127.0.0.2", "10.0.0.1"}, {"127.0.0.2", "127.0.0.1"}}}});
  options.resolver = names;
  net::WebhookClient client(options);
  const std::string url = receiver.url("rebinds.example");
  CHECK(post(client, url).status == 200);
  CHECK(post(client, url).outcome == Outcome::AddressRefused);
  CHECK(post(client, url).outcome == Outcome::AddressRefused);
  CHECK(post(client, url).status == 200);  // the one of the two that may be called
  CHECK(names->asked == 4);                // once a connect, and the connection went to what was judged
  CHECK(receiver.connections == 2);
}

TEST_CASE("WebhookClient.TheServerIsNoReceiverOfItself") {
  WebhookReceiver receiver(answering(200)), ours(answering(200));
  net::WebhookClientOptions options = to_loopback();
  options.guard.own_ports = {receiver.port()};
  net::WebhookClient client(options);
  const WebhookAnswer answer = post(client, receiver.url());
  CHECK(answer.outcome == Outcome::AddressRefused);
  CHECK(contains(answer.detail, "this server itself"));
  CHECK(client.url_objection(ours.url()) == "");
  client.add_own_port(ours.port());
  CHECK(post(client, ours.url()).outcome == Outcome::AddressRefused);
  CHECK(client.url_objection(ours.url()) != "");
  CHECK(receiver.connections + ours.connections == 0);
}

TEST_CASE("WebhookClient.ANextAddressIsTriedWhereOneFails") {
  WebhookReceiver receiver(answering(200));
  net::WebhookClientOptions options = to_loopback();
  options.guard.allowed.push_back(net::AddressRange::parse("127.0.0.9").value());
  options.resolver = std::make_shared<ScriptedNames>(
      std::map<std::string, std::vector<std::vector<const char*>>>{{"two.example", {{"127.0.0.9", "127.0.0.1"}}}});
  net::WebhookClient client(options);
  CHECK(post(client, receiver.url("two.example")).status == 200);
  CHECK(client.metrics().connections_started == 2);
}

TEST_CASE("WebhookClient.NamesThatCannotBeFound") {
  WebhookReceiver receiver(answering(200));
  net::WebhookClientOptions options = to_loopback();
  options.resolver = std::make_shared<ScriptedNames>(
      std::map<std::string, std::vector<std::vector<const char*>>>{{"none.example", {{}}}});
  SUBCASE("there is no such name") {
    net::WebhookClient client(options);
    const WebhookAnswer answer = post(client, "http://none.example/");
    CHECK(answer.outcome == Outcome::NameFailed);
    CHECK(answer.detail == "none.example port 80: Name or service not known");
  }
  SUBCASE("nobody answers") {
    options.connect_time_max = milliseconds(50);
    net::WebhookClient client(options);
    CHECK(post(client, "http://silent.example/").outcome == Outcome::TimedOut);
    CHECK(post(client, receiver.url()).status == 200);
  }
}

TEST_CASE("WebhookClient.NamesThatTakeLongHoldUpNoOtherOwner") {
  WebhookReceiver receiver(answering(200));
  std::promise<void> over;
  const std::shared_future<void> end = over.get_future().share();
  net::WebhookClientOptions options = to_loopback();
  options.resolver = std::make_shared<net::SystemResolver>([end](const std::string& host) {
    if (host != "good.example") end.wait();
    return net::ResolvedName{{boost::asio::ip::make_address("127.0.0.1")}, {}};
  });
  net::WebhookClient client(options);
  const auto owned_by = [](const char* owner, const std::string& url) {
    WebhookRequest request = request_to(url);
    request.owner = std::make_shared<const std::string>(owner);
    return request;
  };
  std::vector<std::future<WebhookAnswer>> slow;
  for (int i = 0; i < 50; ++i) {
    const std::string host = "slow-" + std::to_string(i) + ".example";
    slow.push_back(begin(client, owned_by("stranger", receiver.url(host))));
  }
  CHECK(post(client, owned_by("other", receiver.url("good.example"))).status == 200);
  CHECK(receiver.requests == 1);
  over.set_value();
  for (auto& answer : slow) CHECK(answer.get().status == 200);
}

}  // namespace stele::tests
