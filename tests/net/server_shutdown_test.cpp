#include <signal.h>
#include <unistd.h>

#include <thread>

#include "net/server/signals.h"
#include "tests/net/test_server.h"
#include "tests/support/eventually.h"

namespace stele::tests {

TEST_CASE("ServerShutdown.AnswersWhatIsUnderWayClosesIdleOnesAndAcceptsNoMore") {
  TestServer server(quick());
  HttpClient idle = server.client();
  CHECK(idle.get("/a").status == 200);
  HttpClient busy = server.client();
  REQUIRE(busy.send_raw("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
  HttpClient sending = server.client();
  REQUIRE(sending.send_raw("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  REQUIRE(sending.read_response().status == 100);  // it has been read so far, so that it is under way
  REQUIRE(sending.send_raw("a"));
  server.handler->await_held(1);
  server.await_connections(3);

  server.server->begin_shutdown();
  CHECK(server.handler->shutting_down);
  CHECK(idle.closed_by_server());
  HttpClient late = server.client();
  CHECK_FALSE(late.connect());
  REQUIRE(sending.send_raw("bc"));
  const HttpResponse sent = sending.read_response();
  CHECK(sent.body == "/e?:abc");
  CHECK(sent.header("Connection") == "close");
  server.handler->release();
  const HttpResponse held = busy.read_response();
  CHECK(held.body == "released");
  CHECK(held.header("Connection") == "close");
  server.server->wait();
  server.handler = nullptr;
  CHECK(server.server->connections() == 0);
}

TEST_CASE("ServerShutdown.WhatIsLeftAfterTheDrainDeadlineIsClosed") {
  net::ServerOptions options = quick();
  options.drain_ms = 50;
  TestServer server(options);
  HttpClient half = server.client();
  REQUIRE(half.send_raw("GET /a HT"));
  HttpClient slow = server.client();
  REQUIRE(slow.send_raw("GET /stream?1000000 HTTP/1.1\r\nHost: a\r\n\r\n"));
  server.await_connections(2);
  server.server->begin_shutdown();
  server.server->wait();
  server.handler = nullptr;
  CHECK(half.closed_by_server());
}

TEST_CASE("ServerShutdown.StopClosesAtOnceAndWaitsForTheHandlerOnly") {
  TestServer server(quick());
  HttpClient busy = server.client();
  REQUIRE(busy.send_raw("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
  server.handler->await_held(1);
  server.server->begin_shutdown();
  server.server->stop();
  CHECK(busy.closed_by_server());
  server.handler->release();
  server.server->wait();
  server.handler = nullptr;
}

TEST_CASE("ServerShutdown.AHandlerThatNeverAnswersCannotKeepTheServerAndMayAnswerLate") {
  net::ServerOptions options = quick();
  options.handler_grace_ms = 20;
  TestServer server(options);
  HttpClient client = server.client();
  REQUIRE(client.send_raw("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
  server.handler->await_held(1);
  server.server->stop();
  server.server->wait();
  CHECK(client.closed_by_server());
  server.handler->release();  // it lives on, and its answer goes nowhere
  server.handler = nullptr;
}

TEST_CASE("ServerShutdown.ARunningStreamEndsWhole") {
  TestServer server(quick());
  HttpClient client = server.client();
  REQUIRE(client.send_raw("GET /stream?300 HTTP/1.1\r\nHost: a\r\n\r\n"));
  REQUIRE(client.read_raw(15) == "HTTP/1.1 200 OK");
  server.server->begin_shutdown();
  const std::string rest = client.read_to_end();
  CHECK(rest.ends_with("\r\n0\r\n\r\n"));
  server.server->wait();
  server.handler = nullptr;
}

TEST_CASE("ServerShutdown.UnderLoadEveryAnswerIsWholeOrAbsent") {
  net::ServerOptions options = quick();
  options.io_threads = 2;
  TestServer server(options);
  std::atomic<int> answered{0};
  std::atomic<int> odd{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      HttpClient client(server.port());
      if (!client.connect()) return;
      for (;;) {
        if (!client.send_raw("GET /thread?1 HTTP/1.1\r\nHost: a\r\n\r\n")) return;
        const HttpResponse got = client.read_response();
        if (got.status == 0) return;
        if (got.body != "thread 1") ++odd;
        ++answered;
        if (got.header("Connection") == "close") return;
      }
    });
  }
  wait_until([&] { return answered >= 100; });
  server.server->begin_shutdown();
  for (std::thread& client : clients) client.join();
  CHECK(odd == 0);
  server.server->wait();
  server.handler = nullptr;
}

TEST_CASE("Signals.RememberAndDeliver") {
  net::Signals signals;
  REQUIRE(::kill(::getpid(), SIGTERM) == 0);
  std::atomic<int> got{0};
  signals.on_signal([&](int number) { got = number; });
  wait_until([&] { return got == SIGTERM; });
  REQUIRE(::kill(::getpid(), SIGINT) == 0);
  wait_until([&] { return got == SIGINT; });
  signals.on_signal({});

  // Threads started from here on leave the signals alone, those of a server too.
  TestServer server(quick());
  std::atomic<int> reloads{0};
  signals.drain(*server.server, [&] { ++reloads; });
  REQUIRE(::kill(::getpid(), SIGHUP) == 0);
  wait_until([&] { return reloads == 1; });
  CHECK(server.client().get("/a").status == 200);
  REQUIRE(::kill(::getpid(), SIGTERM) == 0);
  server.server->wait();
  server.handler = nullptr;
  signals.on_signal({});
}

}  // namespace stele::tests
