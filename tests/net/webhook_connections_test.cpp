// Connections to receivers of webhooks: kept, shared, closed, worn.

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/net/webhook_client_support.h"
#include "tests/net/webhook_receiver.h"
#include "tests/support/eventually.h"

namespace stele::tests {

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

}  // namespace stele::tests
