// Live streams of a real server as WebSockets, over sockets.

#include <doctest/doctest.h>

#include <string>

#include "tests/contract/http_fixture.h"
#include "tests/support/raw_client.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

std::string ask_for_socket(const std::string& query, const std::string& fields = "") {
  return "GET /v1/events/stream" + query +
         " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, stele.v1.json\r\n" +
         fields + "\r\n";
}

/// A short text message of a client.
std::string client_text(const std::string& text) {
  REQUIRE(text.size() < 126);
  return std::string("\x81", 1) + static_cast<char>(0x80 | text.size()) + std::string(4, '\0') + text;
}

}  // namespace

TEST_CASE("WebSocketStream.BeginsWithAHandshakeAndGivesEvents") {
  Api api;
  HttpClient writer = api.client();
  const auto stored = [&](const std::string& aggregate) {
    return std::to_string(append(writer, event_json(aggregate)).number("/position"));
  };
  const std::string first = stored("socket");
  RawClient reader(api.port());
  REQUIRE(reader.send(ask_for_socket("?start=beginning")));
  REQUIRE(reader.wait_for("{\"type\":\"caughtUp\",\"position\":" + first + "}"));
  const std::string head = reader.received().substr(0, reader.received().find("\r\n\r\n") + 2);
  CHECK(head.starts_with("HTTP/1.1 101 "));
  CHECK(contains(head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  CHECK(contains(head, "\r\nSec-WebSocket-Protocol: stele.v1.json\r\n"));
  CHECK_FALSE(contains(head, "Extensions"));
  REQUIRE(reader.wait_for("\"position\":" + stored("socket") + ","));
  REQUIRE(reader.send(client_text(R"({"type":"credit","events":1})")));
  REQUIRE(reader.send(client_text("nonsense")));
  CHECK(reader.wait_for("{\"type\":\"error\",\"error\":\"not-understood\""));
  CHECK(reader.wait_for("\x03\xF0not-understood"));
  CHECK(reader.wait_for_end());
}

TEST_CASE("WebSocketStream.AFaultyHandshakeIsRefused") {
  Api api;
  HttpClient client = api.client();
  const Headers good = {{"Connection", "Upgrade"},
                        {"Upgrade", "websocket"},
                        {"Sec-WebSocket-Version", "13"},
                        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                        {"Sec-WebSocket-Protocol", "stele.v1.json"}};
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"Sec-WebSocket-Version", "8"},
                                                        {"Sec-WebSocket-Key", "short"},
                                                        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ!=="},
                                                        {"Sec-WebSocket-Protocol", "chat"},
                                                        {"Sec-WebSocket-Protocol", ""}}) {
    CAPTURE(name);
    CAPTURE(value);
    Headers bad = good;
    for (auto& field : bad) {
      if (field.first == name) field.second = value;
    }
    const HttpResponse refused = client.get("/v1/events/stream", bad);
    check_problem(refused, 400, "invalid-header");
    CHECK(refused.header("Sec-WebSocket-Version") == "13");
  }
  Headers foreign = good;
  foreign.emplace_back("Origin", "https://evil.example");
  check_problem(client.get("/v1/events/stream", foreign), 403, "foreign-origin");
}

TEST_CASE("WebSocketStream.EndsWithAPlaceToComeBackToWhenTheServerIsToldToEnd") {
  Api api;
  RawClient reader(api.port());
  REQUIRE(reader.send(ask_for_socket("?eventType=Never")));
  REQUIRE(reader.wait_for("caughtUp"));
  RawClient other(api.port());
  REQUIRE(other.send(ask_for_socket("")));
  REQUIRE(other.wait_for("caughtUp"));
  HttpClient writer = api.client();
  const std::string told = std::to_string(append(writer, event_json("told")).number("/position"));
  // What one follower at the head has got, all have been compared with.
  REQUIRE(other.wait_for("\"type\":\"event\""));
  CHECK(api.server().stop() == 0);
  CHECK(reader.wait_for_end());
  CHECK(contains(reader.received(), "\x03\xE9the server ends"));
  CHECK(contains(reader.received(), "{\"type\":\"checkpoint\",\"position\":" + told + "}"));
}

TEST_CASE("WebSocketStream.GarbageEndsItAndNothingElse") {
  Api api;
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string(5000, '\xFF'), std::string("\x81\x01x", 3),
        std::string("\x81\xFF", 2) + std::string(12, '\x7F') + "x"}) {
    RawClient client(api.port());
    REQUIRE(client.send(ask_for_socket("") + garbage));
    CHECK(client.wait_for_end());
    CHECK(contains(client.received(), " 101 "));
  }
  // Half a frame, and then nothing: it stays, and does no harm.
  RawClient half(api.port());
  REQUIRE(half.send(ask_for_socket("") + "\x81"));
  REQUIRE(half.wait_for("caughtUp"));
  HttpClient client = api.client();
  const std::uint64_t after = append(client, event_json("after")).number("/position");
  CHECK(half.wait_for("\"position\":" + std::to_string(after) + ","));
}

}  // namespace stele::tests
