// Webhooks over TLS.

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/net/webhook_client_support.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/certificates.h"
#include "tests/support/text.h"

namespace stele::tests {

TEST_CASE("WebhookClient.TlsIsVerified") {
  const TestAuthority authority("Receivers"), another("Others");
  const auto post_tls = [&](const Identity& identity, const std::string& ca, const std::string& host) {
    WebhookReceiver receiver(answering(200), ReceiverTls{identity});
    net::WebhookClientOptions options = to_loopback();
    options.resolver = std::make_shared<ScriptedNames>(std::map<std::string, std::vector<std::vector<const char*>>>{
        {"localhost", {{"127.0.0.1"}}}, {"localhost.", {{"127.0.0.1"}}}, {"receiver.example", {{"127.0.0.1"}}}});
    net::WebhookClient client(options);
    WebhookRequest request = request_to(receiver.url(host));
    request.tls = api::WebhookTls{ca, "", ""};
    const WebhookAnswer answer = post(client, request);
    CHECK(receiver.requests == (answer.outcome == Outcome::Answered ? 1 : 0));
    return answer;
  };
  const Identity good = authority.issue_server();
  CHECK(post_tls(good, authority.certificate(), "localhost").status == 200);
  CHECK(post_tls(good, authority.certificate(), "localhost.").status == 200);
  CHECK(post_tls(good, authority.certificate(), "127.0.0.1").status == 200);
  CHECK(post_tls(good, another.certificate() + authority.certificate(), "127.0.0.1").status == 200);

  const WebhookAnswer wrong_name = post_tls(good, authority.certificate(), "receiver.example");
  CHECK(wrong_name.outcome == Outcome::TlsFailed);
  CHECK(contains(wrong_name.detail, "mismatch"));
  const WebhookAnswer unknown = post_tls(good, another.certificate(), "localhost");
  CHECK(unknown.outcome == Outcome::TlsFailed);
  CHECK(contains(unknown.detail, "certificate"));
  const WebhookAnswer system = post_tls(good, "", "localhost");
  CHECK(system.outcome == Outcome::TlsFailed);
  const WebhookAnswer expired = post_tls(
      authority.issue({.common_name = "old", .alt_names = {"DNS:localhost"}, .from_days = -9, .until_days = -1}),
      authority.certificate(), "localhost");
  CHECK(expired.outcome == Outcome::TlsFailed);
  CHECK(contains(expired.detail, "expired"));
}

TEST_CASE("WebhookClient.NamesItsReceiverAndKeepsTlsConnections") {
  const TestAuthority authority("Receivers");
  std::promise<std::string> name;
  WebhookReceiver receiver(
      [&](WebhookReceiver::Peer& peer) {
        name.set_value(peer.server_name());
        answering(200)(peer);
      },
      ReceiverTls{authority.issue_server()});
  net::WebhookClientOptions options = to_loopback();
  options.resolver = std::make_shared<ScriptedNames>(
      std::map<std::string, std::vector<std::vector<const char*>>>{{"localhost", {{"127.0.0.1"}}}});
  net::WebhookClient client(options);
  for (int i = 0; i < 5; ++i) {
    WebhookRequest request = request_to(receiver.url("LOCALHOST"), std::string(100'000, 'x'));
    request.tls = api::WebhookTls{authority.certificate(), "", ""};
    CHECK(post(client, request).status == 200);
  }
  CHECK(name.get_future().get() == "localhost");
  CHECK(receiver.connections == 1);
}

TEST_CASE("WebhookClient.ShowsItsCertificateToWhoeverAsksForOne") {
  const TestAuthority authority("Receivers"), clients("Clients"), strangers("Strangers");
  WebhookReceiver receiver(answering(200), ReceiverTls{authority.issue_server(), clients.certificate()});
  net::WebhookClient client(to_loopback());
  const auto outcome_with = [&](const Identity& identity) {
    WebhookRequest request = request_to(receiver.url());
    request.tls = api::WebhookTls{authority.certificate(), identity.certificate, identity.key};
    return post(client, request).outcome;
  };
  const Identity ours = clients.issue({.common_name = "stele"});
  CHECK(outcome_with(ours) == Outcome::Answered);
  CHECK(outcome_with({}) == Outcome::TlsFailed);  // and not on the connection of the one before
  CHECK(outcome_with(strangers.issue({.common_name = "stele"})) == Outcome::TlsFailed);
  CHECK(outcome_with(ours) == Outcome::Answered);
  CHECK(receiver.requests == 2);
}

TEST_CASE("WebhookClient.TlsAgainstPlainAndPlainAgainstTls") {
  const TestAuthority authority("Receivers");
  WebhookReceiver tls(answering(200), ReceiverTls{authority.issue_server()});
  WebhookReceiver plain([](WebhookReceiver::Peer& peer) {
    (void)peer.read_some();
    peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    peer.wait_for_end();
  });
  net::WebhookClient client(to_loopback());
  CHECK(post(client, "https://127.0.0.1:" + std::to_string(plain.port())).outcome == Outcome::TlsFailed);
  CHECK(post(client, "http://127.0.0.1:" + std::to_string(tls.port())).outcome != Outcome::Answered);
}

}  // namespace stele::tests
