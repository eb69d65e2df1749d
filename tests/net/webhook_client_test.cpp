// Webhooks as they are sent, to receivers of every kind.

#include "net/webhook/webhook_client.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "net/webhook/retry_after.h"
#include "tests/net/webhook_client_support.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/certificates.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

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

namespace {

/// Against one that does not end its answer: with more and more time, until it was enough for the head.
WebhookAnswer post_until_head(const WebhookReceiver::Script& script) {
  for (milliseconds timeout(50);; timeout *= 2) {
    WebhookAnswer answer = post_to(script, timeout);
    CHECK(answer.outcome == Outcome::TimedOut);
    if (answer.status != 0) return answer;
  }
}

}  // namespace

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
