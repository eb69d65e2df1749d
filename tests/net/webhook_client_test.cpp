// Webhooks as they are sent, to receivers of every kind.

#include "net/webhook/webhook_client.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/webhook/retry_after.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/text.h"

namespace stele::tests {

using api::WebhookAnswer;
using api::WebhookRequest;
using Outcome = WebhookAnswer::Outcome;
using std::chrono::milliseconds;

namespace {

/// Gives each name's answers one after another, the last one for ever; none for others, ever.
class ScriptedNames final : public net::NameResolver {
 public:
  explicit ScriptedNames(std::map<std::string, std::vector<std::vector<const char*>>> answers)
      : answers_(std::move(answers)) {}
  void resolve(const net::NameQuestion& question, Done done) override {
    const std::lock_guard lock(mutex_);
    ++asked;
    const auto found = answers_.find(question.host);
    if (found == answers_.end()) {
      silent_.push_back(std::move(done));
      return;
    }
    net::ResolvedName result;
    for (const char* address : found->second.front()) {
      result.addresses.push_back(boost::asio::ip::make_address(address));
    }
    if (result.addresses.empty()) result.failure = "Name or service not known";
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    done(std::move(result));
  }
  std::atomic<int> asked{0};

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::vector<const char*>>> answers_;
  std::vector<Done> silent_;
};

net::WebhookClientOptions to_loopback() {
  net::WebhookClientOptions options;
  options.guard.allowed = {net::AddressRange::parse("127.0.0.1").value()};
  // More than any test needs, so that a slow machine fails none.
  options.connect_time_max = milliseconds(60'000);
  return options;
}

WebhookRequest request_to(std::string url, std::string body = "{}") {
  WebhookRequest request;
  request.url = std::move(url);
  request.body = std::move(body);
  request.timeout = milliseconds(60'000);
  return request;
}

std::future<WebhookAnswer> begin(net::WebhookClient& client, WebhookRequest request) {
  auto promise = std::make_shared<std::promise<WebhookAnswer>>();
  std::future<WebhookAnswer> future = promise->get_future();
  client.send(std::move(request), [promise](WebhookAnswer answer) { promise->set_value(std::move(answer)); });
  return future;
}

WebhookAnswer post(net::WebhookClient& client, WebhookRequest request) {
  return begin(client, std::move(request)).get();
}
WebhookAnswer post(net::WebhookClient& client, const std::string& url) { return post(client, request_to(url)); }

/// Against one that does this with every connection.
WebhookAnswer post_to(WebhookReceiver::Script script, milliseconds timeout = milliseconds(60'000)) {
  WebhookReceiver receiver(std::move(script));
  net::WebhookClient client(to_loopback());
  WebhookRequest request = request_to(receiver.url());
  request.timeout = timeout;
  return post(client, std::move(request));
}

WebhookReceiver::Script answering(int status, std::string fields = {}, std::string body = {}) {
  return [=](WebhookReceiver::Peer& peer) {
    while (!peer.read_request().empty()) {
      if (!peer.answer(status, fields, body)) return;
    }
  };
}

/// Against one that does not end its answer: with more and more time, until it was enough for the head.
WebhookAnswer post_until_head(const WebhookReceiver::Script& script) {
  for (milliseconds timeout(50);; timeout *= 2) {
    WebhookAnswer answer = post_to(script, timeout);
    CHECK(answer.outcome == Outcome::TimedOut);
    if (answer.status != 0) return answer;
  }
}

void wait_until(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(milliseconds(1));
}

}  // namespace

TEST_CASE("WebhookClient.SendsWhatItIsGiven") {
  std::promise<std::string> seen;
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    seen.set_value(peer.read_request());
    peer.answer(200, "", "{\"failed\":[]}");
    peer.wait_for_end();
  });
  net::WebhookClient client(to_loopback());
  WebhookRequest request = request_to(receiver.url("127.0.0.1", "/a/b?c=d%20e"), "{\"events\":[]}");
  request.headers = {{"webhook-id", "msg_1"}, {"X-Key", "k 1"}};
  const WebhookAnswer answer = post(client, request);
  CHECK(answer.outcome == Outcome::Answered);
  CHECK(answer.status == 200);
  CHECK(answer.body == "{\"failed\":[]}");
  CHECK_FALSE(answer.body_cut);
  CHECK_FALSE(answer.retry_after);
  CHECK(answer.detail == "");
  const std::string got = seen.get_future().get();
  CHECK(got == "POST /a/b?c=d%20e HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(receiver.port()) +
                   "\r\nContent-Length: 13\r\nwebhook-id: msg_1\r\nX-Key: k 1\r\nContent-Type: application/json\r\n"
                   "User-Agent: Stele/" STELE_VERSION "\r\n\r\n{\"events\":[]}");
}

TEST_CASE("WebhookClient.EveryStatusIsAnAnswer") {
  for (const int status : {200, 204, 301, 307, 400, 410, 413, 429, 500, 503, 599}) {
    CAPTURE(status);
    WebhookReceiver target(answering(200));
    WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
      if (peer.read_request().empty()) return;
      peer.send("HTTP/1.1 " + std::to_string(status) + " Said\r\nLocation: " + target.url() +
                (status == 204 ? "\r\n\r\n" : "\r\nContent-Length: 0\r\n\r\n"));
      peer.wait_for_end();
    });
    net::WebhookClient client(to_loopback());
    const WebhookAnswer answer = post(client, receiver.url());
    CHECK(answer.outcome == Outcome::Answered);
    CHECK(answer.status == status);
    CHECK(receiver.requests == 1);
    CHECK(target.connections == 0);  // no redirect is followed
  }
}

TEST_CASE("WebhookClient.HearsHowLongToWait") {
  CHECK(post_to(answering(429, "Retry-After: 120\r\n")).retry_after == milliseconds(120'000));
  CHECK(post_to(answering(503, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n")).retry_after == net::retry_after_max);
  CHECK(post_to(answering(429, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n")).retry_after == milliseconds(0));
  CHECK_FALSE(post_to(answering(429, "Retry-After: soon\r\n")).retry_after);
}

TEST_CASE("WebhookClient.ConnectionsAreKept") {
  WebhookReceiver receiver(answering(200, "", "ok"));
  net::WebhookClient client(to_loopback());
  for (int i = 0; i < 20; ++i) CHECK(post(client, receiver.url("127.0.0.1", "/" + std::to_string(i))).status == 200);
  CHECK(receiver.requests == 20);
  CHECK(receiver.connections == 1);
  CHECK(client.metrics().connections_started == 1);
}

TEST_CASE("WebhookClient.KeptConnectionsAreClosedWhenNobodyNeedsThem") {
  std::atomic<int> ended{0};
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    answering(200)(peer);
    ++ended;
  });
  net::WebhookClientOptions options = to_loopback();
  options.connections.idle_max = milliseconds(1);
  net::WebhookClient client(options);
  CHECK(post(client, receiver.url()).status == 200);
  wait_until([&] { return ended == 1; });
  wait_until([&] { return client.metrics().connections == 0; });
}

TEST_CASE("WebhookClient.AReceiverGetsABoundedNumberOfConnections") {
  std::atomic<int> now{0}, most{0};
  std::mutex mutex;
  std::condition_variable changed;
  bool released = false;
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    while (!peer.read_request().empty()) {
      const int here = ++now;
      for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {
      }
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return released; });
      }
      --now;
      if (!peer.answer(200)) return;
    }
  });
  WebhookReceiver other(answering(204, ""));
  net::WebhookClientOptions options = to_loopback();
  options.connections.endpoint_max = 3;
  net::WebhookClient client(options);
  std::vector<std::future<WebhookAnswer>> answers;
  for (int i = 0; i < 12; ++i) answers.push_back(begin(client, request_to(receiver.url())));
  wait_until([&] { return now == 3; });
  CHECK(post(client, other.url()).status == 204);  // others are not held up
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  changed.notify_all();
  for (auto& answer : answers) CHECK(answer.get().status == 200);
  CHECK(most == 3);
  CHECK(receiver.connections == 3);
}

TEST_CASE("WebhookClient.KeptConnectionsGiveWayToNewOnes") {
  WebhookReceiver a(answering(200)), b(answering(200)), c(answering(200));
  net::WebhookClientOptions options = to_loopback();
  options.connections.all_max = 2;
  net::WebhookClient client(options);
  for (WebhookReceiver* const receiver : {&a, &b, &c, &a}) CHECK(post(client, receiver->url()).status == 200);
  CHECK(a.connections == 2);  // its first one was the oldest when c needed one
  CHECK(b.connections == 1);
  std::vector<std::future<WebhookAnswer>> answers;
  for (int i = 0; i < 30; ++i)
    answers.push_back(begin(client, request_to((i % 3 == 0 ? a : i % 3 == 1 ? b : c).url())));
  for (auto& answer : answers) CHECK(answer.get().status == 200);
}

TEST_CASE("WebhookClient.AWornConnectionIsNoFailure") {
  // The second request finds the connection closed before the first byte of an answer.
  std::atomic<int> number{0};
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    const bool is_first = ++number == 1;
    if (peer.read_request().empty()) return;
    peer.answer(200);
    if (peer.read_request().empty() || is_first) return;
    peer.answer(202);
  });
  net::WebhookClient client(to_loopback());
  CHECK(post(client, receiver.url()).status == 200);
  CHECK(post(client, receiver.url()).status == 200);
  CHECK(receiver.connections == 2);
  CHECK(receiver.requests == 3);  // the second one came twice
}

TEST_CASE("WebhookClient.OnlyAWornConnectionIsTriedAgain") {
  SUBCASE("a new one that is closed without an answer") {
    WebhookReceiver receiver([](WebhookReceiver::Peer& peer) { (void)peer.read_request(); });
    net::WebhookClient client(to_loopback());
    const WebhookAnswer answer = post(client, receiver.url());
    CHECK(answer.outcome == Outcome::BrokenOff);
    CHECK(answer.status == 0);
    CHECK(receiver.connections == 1);
  }
  SUBCASE("a kept one that ends within the answer") {
    WebhookReceiver receiver([](WebhookReceiver::Peer& peer) {
      (void)peer.read_request();
      peer.answer(200);
      (void)peer.read_request();
      peer.send("H");
    });
    net::WebhookClient client(to_loopback());
    CHECK(post(client, receiver.url()).status == 200);
    CHECK(post(client, receiver.url()).outcome == Outcome::BrokenOff);
    CHECK(receiver.connections == 1);
  }
  SUBCASE("twice") {
    std::atomic<int> number{0};
    WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
      const bool is_first = ++number == 1;
      (void)peer.read_request();
      if (is_first) peer.answer(200);
      if (is_first) (void)peer.read_request();
    });
    net::WebhookClient client(to_loopback());
    CHECK(post(client, receiver.url()).status == 200);
    CHECK(post(client, receiver.url()).outcome == Outcome::BrokenOff);
    CHECK(receiver.connections == 2);
  }
}

TEST_CASE("WebhookClient.WhatAReceiverSaidUnaskedIsNotTakenForAnAnswer") {
  std::promise<void> said;
  std::atomic<int> number{0};
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    const bool is_first = ++number == 1;
    (void)peer.read_request();
    peer.answer(200);
    if (!is_first) return peer.wait_for_end();
    peer.answer(500);
    said.set_value();
    peer.wait_for_end();
  });
  net::WebhookClient client(to_loopback());
  CHECK(post(client, receiver.url()).status == 200);
  said.get_future().wait();
  CHECK(post(client, receiver.url()).status == 200);
  CHECK(receiver.connections == 2);
}

TEST_CASE("WebhookClient.AReceiverThatHangsIsGivenUp") {
  const auto hangs = [](std::string_view first) {
    return [first](WebhookReceiver::Peer& peer) {
      (void)peer.read_request();
      peer.send(first);
      peer.wait_for_end();
    };
  };
  for (const std::string_view first : {"", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    CAPTURE(first);
    const WebhookAnswer answer = post_to(hangs(first), milliseconds(50));
    CHECK(answer.outcome == Outcome::TimedOut);
    CHECK(answer.status == 0);
    CHECK(contains(answer.detail, "no whole answer within 50 ms"));
  }
  const WebhookAnswer half = post_until_head(hangs("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal"));
  CHECK(half.status == 200);
  CHECK(half.body == "hal");
}

TEST_CASE("WebhookClient.AReceiverThatDripsIsGivenUp") {
  const WebhookAnswer answer = post_until_head([](WebhookReceiver::Peer& peer) {
    (void)peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.send("x")) std::this_thread::sleep_for(milliseconds(5));
  });
  CHECK(answer.status == 200);
}

TEST_CASE("WebhookClient.AReceiverThatReadsNothingIsGivenUp") {
  std::promise<void> over;
  const std::shared_future<void> end = over.get_future().share();
  {
    WebhookReceiver receiver([end](WebhookReceiver::Peer&) { end.wait(); });
    net::WebhookClient client(to_loopback());
    WebhookRequest request = request_to(receiver.url(), std::string(32 << 20, 'x'));
    request.timeout = milliseconds(100);
    CHECK(post(client, request).outcome == Outcome::TimedOut);
    over.set_value();
  }
}

TEST_CASE("WebhookClient.AConnectionThatIsNotTakenIsGivenUp") {
  // A full queue in front of a listener that accepts nothing: the kernel leaves further clients without an answer.
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io);
  acceptor.open(boost::asio::ip::tcp::v4());
  acceptor.bind({boost::asio::ip::address_v4::loopback(), 0});
  acceptor.listen(0);
  std::vector<boost::asio::ip::tcp::socket> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(io, boost::asio::ip::tcp::v4());
    fillers.back().native_non_blocking(true);
    const auto endpoint = acceptor.local_endpoint();
    (void)::connect(fillers.back().native_handle(), endpoint.data(), static_cast<socklen_t>(endpoint.size()));
  }
  net::WebhookClientOptions options = to_loopback();
  options.connect_time_max = milliseconds(100);
  net::WebhookClient client(options);
  const WebhookAnswer answer =
      post(client, "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/");
  CHECK(answer.outcome == Outcome::TimedOut);
  CHECK(contains(answer.detail, "no connection within 100 ms"));
}

TEST_CASE("WebhookClient.ResetsAreBreaks") {
  const auto resets = [](std::string_view first) {
    return [first](WebhookReceiver::Peer& peer) {
      (void)peer.read_request();
      peer.send(first);
      peer.reset();
    };
  };
  for (const std::string_view first :
       {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", "HTTP/1.1 200 OK\r\n\r\nno end"}) {
    CAPTURE(first);
    CHECK(post_to(resets(first)).outcome == Outcome::BrokenOff);
  }
  // So early that the connection may never have been one.
  const Outcome at_once = post_to([](WebhookReceiver::Peer& peer) { peer.reset(); }).outcome;
  CHECK((at_once == Outcome::BrokenOff || at_once == Outcome::ConnectFailed));
  std::uint16_t nobody = 0;
  {
    WebhookReceiver gone(answering(200));
    nobody = gone.port();
  }
  net::WebhookClient client(to_loopback());
  const WebhookAnswer answer = post(client, "http://127.0.0.1:" + std::to_string(nobody) + "/");
  CHECK(answer.outcome == Outcome::ConnectFailed);
  CHECK(contains(answer.detail, "refused"));
}

TEST_CASE("WebhookClient.AGigabyteOfAnswerIsNotRead") {
  std::atomic<std::size_t> sent{0};
  std::promise<void> over;
  WebhookReceiver receiver([&](WebhookReceiver::Peer& peer) {
    (void)peer.read_request();
    const std::string piece(1 << 20, 'x');
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
    while (sent < (1U << 30) && peer.send(piece)) sent += piece.size();
    over.set_value();
  });
  net::WebhookClient client(to_loopback());
  const WebhookAnswer answer = post(client, receiver.url());
  CHECK(answer.outcome == Outcome::Answered);
  CHECK(answer.body == std::string(net::AnswerReader::body_bytes_usual, 'x'));
  CHECK(answer.body_cut);
  over.get_future().wait();
  CHECK(sent < (1U << 30));
}

TEST_CASE("WebhookClient.AsMuchOfAnAnswerIsKeptAsTheOperatorSays") {
  WebhookReceiver receiver([](WebhookReceiver::Peer& peer) {
    while (!peer.read_request().empty()) peer.answer(200, {}, std::string(5'000, 'x'));
  });
  net::WebhookClientOptions options = to_loopback();
  options.answer_bytes_max = 2'000;
  net::WebhookClient client(options);
  const WebhookAnswer answer = post(client, receiver.url());
  CHECK(answer.status == 200);
  CHECK(answer.body == std::string(2'000, 'x'));
  CHECK(answer.body_cut);
}

TEST_CASE("WebhookClient.GarbageIsNoAnswer") {
  const auto says = [](std::string bytes) {
    return [bytes](WebhookReceiver::Peer& peer) {
      (void)peer.read_request();
      peer.send(bytes);
      peer.wait_for_end();
    };
  };
  CHECK(post_to(says("220 mail.example.org ESMTP\r\n")).outcome == Outcome::NotHttp);
  CHECK(post_to(says(std::string("\0\1\2\3\r\n\r\n", 8))).outcome == Outcome::NotHttp);
  CHECK(post_to(says("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'))).outcome == Outcome::HeadTooLarge);
}

TEST_CASE("WebhookClient.AnAnswerThatComesEarlyIsHeard") {
  WebhookReceiver receiver([](WebhookReceiver::Peer& peer) {
    peer.answer(413);
    peer.wait_for_end();
  });
  net::WebhookClient client(to_loopback());
  const WebhookAnswer answer = post(client, request_to(receiver.url(), std::string(8 << 20, 'x')));
  CHECK(answer.outcome == Outcome::Answered);
  CHECK(answer.status == 413);
}

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

TEST_CASE("WebhookClient.WhatCannotBeSentIsSaidToBeSo") {
  net::WebhookClient client(to_loopback());
  CHECK(post(client, "ftp://example.org/").outcome == Outcome::Unsendable);
  CHECK(post(client, "http://2130706433/").outcome == Outcome::Unsendable);
  WebhookRequest header = request_to("http://127.0.0.1/");
  header.headers = {{"X-Key", "topsecret\r\nHost: evil"}};
  const WebhookAnswer answer = post(client, header);
  CHECK(answer.outcome == Outcome::Unsendable);
  CHECK_FALSE(contains(answer.detail, "topsecret"));
  WebhookRequest tls = request_to("https://127.0.0.1/");
  tls.tls = api::WebhookTls{"no certificate", "", ""};
  CHECK(post(client, tls).outcome == Outcome::Unsendable);

  CHECK(client.url_objection("https://example.org/hook") == "");
  CHECK(contains(client.url_objection("https://u:p@example.org/"), "user"));
  CHECK(contains(client.url_objection("http://[::1]/"), "loopback"));
  CHECK(client.url_objection("http://127.0.0.1/") == "");
  const TestAuthority authority("Clients");
  const Identity good = authority.issue({.common_name = "a"}), other = authority.issue({.common_name = "b"});
  CHECK(client.tls_objection({}) == "");
  CHECK(client.tls_objection({authority.certificate(), good.certificate, good.key}) == "");
  CHECK(contains(client.tls_objection({"", good.certificate, ""}), "belong together"));
  CHECK(contains(client.tls_objection({"", good.certificate, other.key}), "not the private key"));
  CHECK(contains(client.tls_objection({"", good.certificate, with_passphrase(good)}), "passphrase"));
  CHECK(client.tls_objection({"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", ""}) != "");
}

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

TEST_CASE("WebhookClient.StoppingAnswersEachExactlyOnce") {
  WebhookReceiver silent([](WebhookReceiver::Peer& peer) { peer.wait_for_end(); });
  WebhookReceiver quick(answering(200));
  net::WebhookClientOptions options = to_loopback();
  options.connections.endpoint_max = 4;
  options.resolver = std::make_shared<ScriptedNames>(std::map<std::string, std::vector<std::vector<const char*>>>{});
  net::WebhookClient client(options);
  constexpr int each = 50, threads = 3;
  std::vector<std::atomic<int>> answers(threads * each * 3);
  std::atomic<int> answered{0}, next{0};
  std::vector<std::thread> senders;
  for (int t = 0; t < threads; ++t) {
    senders.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        // In line or before the answer; looking up; done or under way.
        for (const std::string& url : {silent.url(), std::string("http://silent.example/"), quick.url()}) {
          client.send(request_to(url), [&answers, &answered, mine = next++](const WebhookAnswer& answer) {
            CHECK((answer.outcome == Outcome::Cancelled || answer.status == 200));
            ++answers[static_cast<std::size_t>(mine)];
            ++answered;
          });
        }
      }
    });
  }
  wait_until([&] { return silent.connections == 4 && quick.requests > 0; });
  client.stop();  // while some are still being sent
  for (std::thread& sender : senders) sender.join();
  CHECK(answered == threads * each * 3);
  for (const auto& count : answers) CHECK(count == 1);
  CHECK(post(client, quick.url()).outcome == Outcome::Cancelled);
  client.stop();
}

TEST_CASE("WebhookClient.WhoHearsAnAnswerMaySendTheNextOrThrow") {
  WebhookReceiver receiver(answering(200));
  net::WebhookClient client(to_loopback());
  std::promise<int> chained;
  client.send(request_to(receiver.url()), [&](const WebhookAnswer&) {
    client.send(request_to(receiver.url()), [&](const WebhookAnswer& second) {
      chained.set_value(second.status);
      throw std::runtime_error("thrown by the test");
    });
  });
  CHECK(chained.get_future().get() == 200);
  CHECK(post(client, receiver.url()).status == 200);
  CHECK(receiver.connections == 1);
}

}  // namespace stele::tests
