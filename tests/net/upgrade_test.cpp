// Connections that become something else than HTTP.

#include "tests/net/pushed_server.h"
#include "tests/support/raw_client.h"

namespace stele::tests {

namespace {

constexpr const char* kUpgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: h2c, Echo\r\n";

std::string ask(std::string_view path, std::string_view fields = kUpgrade, std::string_view behind = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(behind);
}

std::string letters(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('a' + i % 26 + (i / 26) % 2 * ('A' - 'a'));
  return text;
}

}  // namespace

TEST_CASE("Upgrade.IsAnsweredAndBytesGoBothWaysThoseBehindTheHeadFirst") {
  PushedServer server;
  RawClient client(server.port());
  REQUIRE(client.send(ask("/echo", kUpgrade, "early ")));
  REQUIRE(client.wait_for("hello early "));
  REQUIRE(client.send("late"));
  REQUIRE(client.wait_for("hello early late"));
  server.stage.say(" pushed");
  REQUIRE(client.wait_for("\r\n\r\nhello early late pushed"));
  const std::string head = client.received().substr(0, client.received().find("\r\n\r\n") + 2);
  CHECK(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(contains(head, "\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"));
  CHECK(contains(head, "\r\nX-Accepted: yes\r\n"));
  for (const char* const absent : {"Content-Length", "Transfer-Encoding", "Content-Type", "close"}) {
    CHECK_FALSE(contains(head, absent));
  }
  server.stage.finish();
  CHECK(client.wait_for_end());
  server.await_no_body();
}

TEST_CASE("Upgrade.WorksOverTls") {
  PushedTlsServer secure;
  HttpClient client = secure.client();
  const std::string much = letters(100'000);
  REQUIRE(client.send_raw(ask("/echo", kUpgrade, "early ")));
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    const std::string byte = client.read_raw(1);
    REQUIRE_FALSE(byte.empty());
    head += byte;
  }
  CHECK(client.read_raw(12) == "hello early ");
  REQUIRE(client.send_raw(much));
  CHECK(client.read_raw(much.size()) == much);
  secure.server.server->begin_shutdown();
  CHECK(client.read_to_end() == " shutdown");
  secure.server.server->wait();
  CHECK(secure.server.stage.alive == 0);
}

TEST_CASE("Upgrade.NoMoreIsReadThanTheStreamTakes") {
  PushedServer server;
  const std::string much = letters(200'000);
  for (const std::size_t takes_max : {std::size_t{1}, std::size_t{1000}}) {
    CAPTURE(takes_max);
    server.stage.takes_max = takes_max;
    RawClient client(server.port());
    const std::string sent = much.substr(0, takes_max * 3000 < much.size() ? takes_max * 3000 : much.size());
    REQUIRE(client.send(ask("/echo", kUpgrade, sent.substr(0, 100))));
    REQUIRE(client.send(sent.substr(100)));
    CHECK(client.wait_for_bytes(client.received().size() + sent.size()));
    CHECK(client.wait_for("hello " + sent));
    client.close();
    server.await_no_body();
  }
}

TEST_CASE("Upgrade.AStreamIsToldThatItsClientSendsNoMoreAndMaySayMore") {
  PushedServer server;
  {
    RawClient client(server.port());
    REQUIRE(client.send(ask("/echo", kUpgrade, "last words")));
    client.half_close();
    CHECK(client.wait_for_end());
    CHECK(client.received().ends_with("hello last words farewell"));
    CHECK(server.stage.ended_by_client);
    server.await_no_body();
  }
  for (const bool reset : {false, true}) {
    RawClient client(server.port());
    REQUIRE(client.send(ask("/echo")));
    REQUIRE(client.wait_for("hello "));
    CHECK(server.stage.alive == 1);
    reset ? client.reset() : client.close();
    server.await_no_body();
    server.await_connections(0);
  }
}

TEST_CASE("Upgrade.IsToldOfTheShutdown") {
  net::ServerOptions options = quick();
  options.drain_ms = 3'600'000;
  PushedServer server(options);
  RawClient client(server.port());
  REQUIRE(client.send(ask("/echo")));
  REQUIRE(client.wait_for("hello "));
  server.server->begin_shutdown();
  CHECK(client.wait_for_end());
  CHECK(client.received().ends_with("\r\n\r\nhello  shutdown"));
  server.server->wait();
  CHECK(server.stage.told_of_shutdown);
  CHECK(server.stage.alive == 0);
}

TEST_CASE("Upgrade.WhatIsMalformedEndsIt") {
  PushedServer server;
  RawClient client(server.port());
  REQUIRE(client.send(ask("/echo")));
  REQUIRE(client.wait_for("hello "));
  REQUIRE(client.send("broken"));
  CHECK(client.wait_for_end());
  server.await_no_body();
}

TEST_CASE("Upgrade.IsForThoseWhoAskForItOnly") {
  PushedServer server;
  const auto answer = [&](const std::string& request) {
    RawClient client(server.port());
    REQUIRE(client.send(request));
    REQUIRE(client.wait_for("\r\n\r\n"));
    const std::string& all = client.received();
    return all.substr(9, 3);
  };
  CHECK(answer(ask("/echo")) == "101");
  CHECK(answer(ask("/echo", "")) == "200");
  CHECK(answer(ask("/echo", "Upgrade: echo\r\n")) == "200");
  CHECK(answer(ask("/echo", "Connection: upgrade\r\n")) == "200");
  CHECK(answer(ask("/echo", "Connection: upgrade\r\nUpgrade: websocket\r\n")) == "200");
  CHECK(answer(ask("/echo", "Connection: upgrade\r\nUpgrade: echo\r\nContent-Length: 1\r\n", "x")) == "200");
  CHECK(answer("GET /echo HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n") == "200");
  CHECK(answer("HEAD /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n") == "200");
  // An endpoint that does not look.
  CHECK(answer(ask("/misled", "")) == "500");
  // One that knows no upgrade: a request like any other, and so is the next one.
  RawClient client(server.port());
  REQUIRE(client.send(ask("/other")));
  REQUIRE(client.wait_for("\r\n\r\n/other"));
  REQUIRE(client.send(ask("/another")));
  CHECK(client.wait_for("\r\n\r\n/another"));
  server.await_no_body();
}

}  // namespace stele::tests
